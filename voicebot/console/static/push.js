// Notices of calls for a page that sleeps or is closed. Answers are {state: on | off | denied | unsupported | failed}.
window.voicebotPush = (() => {
  const supported = () =>
    window.isSecureContext && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

  const bytes = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (char) => char.charCodeAt(0));
  };

  function told(subscription) {
    const { endpoint, keys } = subscription.toJSON();
    return { state: "on", endpoint, key: keys.p256dh, secret: keys.auth };
  }

  // Asks for permission: to be called from a click.
  async function on(publicKey) {
    if (!supported()) return { state: "unsupported" };
    if ((await Notification.requestPermission()) !== "granted") return { state: "denied" };
    try {
      await navigator.serviceWorker.register("/sw.js");
      const registration = await navigator.serviceWorker.ready;
      const options = { userVisibleOnly: true, applicationServerKey: bytes(publicKey) };
      return told(await registration.pushManager.subscribe(options));
    } catch (error) {
      return { state: "failed", why: String(error.message || error) };
    }
  }

  async function off() {
    const subscription = await current();
    if (!subscription) return { state: "off" };
    const endpoint = subscription.endpoint;
    await subscription.unsubscribe();
    return { state: "off", endpoint };
  }

  async function current() {
    if (!supported()) return null;
    const registration = await navigator.serviceWorker.getRegistration("/");
    return registration ? registration.pushManager.getSubscription() : null;
  }

  async function state() {
    if (!supported()) return { state: "unsupported" };
    const subscription = await current();
    return subscription ? told(subscription) : { state: "off" };
  }

  // The call was answered or is over: what still tells of it goes away.
  async function clear() {
    if (!supported()) return;
    const registration = await navigator.serviceWorker.getRegistration("/");
    if (registration) for (const notice of await registration.getNotifications()) notice.close();
  }

  return { on, off, state, clear };
})();
