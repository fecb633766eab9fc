// Tells an agent of a call while the page sleeps or is closed. Keeps no pages: nothing works offline here.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  const told = event.data ? event.data.json() : {};
  const shown = self.registration.showNotification(told.title || "voicebot", {
    body: told.body || "",
    tag: told.tag || "voicebot",
    renotify: true,
    requireInteraction: true,
    vibrate: [400, 200, 400, 200, 400],
    lang: told.lang || "",
    icon: "/static/icon.svg",
  });
  event.waitUntil(shown);
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const open = async () => {
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const page = pages.find((one) => new URL(one.url).pathname === "/agent");
    return page ? page.focus() : self.clients.openWindow("/agent");
  };
  event.waitUntil(open());
});
