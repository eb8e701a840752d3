// Keeps the register fresh: one fetch for who I am, one for who is here, an
// event stream for the count and a WebSocket to show that the line is open.
const token = document.body.dataset.login === 'token' ? sessionStorage.getItem('token') ?? '' : null;
const byId = (id) => document.getElementById(id);

async function call(path) {
  const response = await fetch(path, token === null ? {} : { headers: { Authorization: `Bearer ${token}` } });
  if (response.status === 401) location.assign('/login');
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

function row(child) {
  const tr = document.createElement('tr');
  tr.classList.toggle('away', !child.here);
  const arrived = child.here ? new Date(child.since).toTimeString().slice(0, 5) : 'not here';
  for (const text of [child.name, child.group, arrived, '']) tr.insertCell().textContent = text;
  return tr;
}

function live(on) {
  byId('live').classList.toggle('on', on);
  byId('live').textContent = on ? 'Live' : 'Not up to date';
}

if (token !== null) {
  document.querySelector('header form').addEventListener('submit', async (event) => {
    event.preventDefault();
    await fetch('/logout', { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
    sessionStorage.removeItem('token');
    location.assign('/login');
  });
}

try {
  const [{ user }, { children, here, of }] = await Promise.all([call('/api/me'), call('/api/present')]);
  byId('me').textContent = user.display;
  byId('role').textContent = user.role;
  byId('here').textContent = here;
  byId('of').textContent = of;
  if (token !== null) byId('children').replaceChildren(...children.map(row));

  const query = token === null ? '' : `?access_token=${encodeURIComponent(token)}`;
  const events = new EventSource(`/events${query}`);
  events.addEventListener('tick', (event) => { byId('here').textContent = JSON.parse(event.data).here; });
  const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/live${query}`);
  socket.addEventListener('message', () => live(true));
  socket.addEventListener('close', () => live(false));
} catch {
  live(false);
}
