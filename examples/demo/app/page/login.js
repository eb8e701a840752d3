// Signs in by fetch, where the application was started with -login json or
// -login token.
const form = document.querySelector('form[data-login]');
const problem = form.querySelector('.problem');

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  problem.hidden = true;
  const { username, password } = Object.fromEntries(new FormData(form));
  try {
    const response = await fetch('/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username, password }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error_description ?? answer.error ?? answer.detail ?? answer.title);
    if (answer.access_token) sessionStorage.setItem('token', answer.access_token);
    location.assign('/');
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
});
