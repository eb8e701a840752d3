// The console's service worker: assets only, by names that carry their hash. Pages
// and data always come from the server.
const shelf = "cadenas-assets-1", assets = "/.cadenas/assets/";

addEventListener("install", () => skipWaiting());
addEventListener("activate", (e) => e.waitUntil(clients.claim()));
addEventListener("fetch", (e) => {
  const url = new URL(e.request.url);
  if (e.request.method !== "GET" || url.origin !== location.origin || !url.pathname.startsWith(assets)) return;
  e.respondWith((async () => {
    const cache = await caches.open(shelf), kept = await cache.match(e.request);
    if (kept) return kept;
    const answer = await fetch(e.request);
    if (answer.ok) {
      await cache.put(e.request, answer.clone());
      const keys = await cache.keys();
      for (const old of keys.slice(0, Math.max(0, keys.length - 120))) await cache.delete(old);
    }
    return answer;
  })());
});
