
// Pushes: what somebody asks for is shown, and a click opens its page. Nothing
// here decides anything: the page asks for the number or a signed-in admin.
addEventListener("push", (e) => e.waitUntil(show(e)));

async function show(event) {
  let m;
  try {
    m = event.data.json();
  } catch {
    return; // not from us
  }
  if (m.v !== 1 || typeof m.title !== "string") return;
  if (m.over) {
    const windows = await clients.matchAll({ type: "window" });
    if (windows.some((w) => w.visibilityState === "visible")) {
      // The console is looked at, and shows what was decided.
      for (const n of await registration.getNotifications({ tag: m.tag })) n.close();
      return;
    }
  }
  await registration.showNotification(m.title, {
    body: m.body, tag: m.tag, lang: m.lang, dir: "auto", timestamp: m.at, data: { url: m.url ?? "/" },
    renotify: !m.over, silent: Boolean(m.over), requireInteraction: m.kind === "opened",
    actions: m.open ? [{ action: "open", title: m.open }] : [],
  });
}

addEventListener("notificationclick", (e) => {
  e.notification.close();
  const url = new URL(e.notification.data?.url ?? "/", location.origin);
  if (url.origin !== location.origin) return; // threat L13
  e.waitUntil((async () => {
    for (const w of await clients.matchAll({ type: "window" })) {
      if (w.url === url.href) return w.focus();
    }
    return clients.openWindow(url.href);
  })());
});
