// Tells the gate, once a tab, what only a script can see of the device: an iPad
// calls itself a Mac, but has touch points; an installed app has no browser
// around it. Resolves to true when the page should be read again for it.
export async function tellDevice(address) {
  const key = "cadenas-told-device";
  try {
    if (sessionStorage.getItem(key)) return false;
    sessionStorage.setItem(key, "1");
  } catch {
    // No storage: it is told once a page instead.
  }
  const modes = ["fullscreen", "standalone", "minimal-ui"];
  const display = modes.find((mode) => matchMedia(`(display-mode: ${mode})`).matches)
    ?? (navigator.standalone ? "standalone" : "browser");
  try {
    const answer = await fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ touch_points: navigator.maxTouchPoints ?? 0, display_mode: display }),
      keepalive: true,
    });
    if (!answer.ok || answer.status === 204) return false;
    return (await answer.json()).changed === true;
  } catch {
    return false;
  }
}
