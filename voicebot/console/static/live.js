// Sound and ringing for the live pages. Browsers let a page make sound only after it was clicked once.
window.voicebot = (() => {
  let context = null;
  let socket = null;
  let ringing = null;
  const title = document.title;

  function audio() {
    context = context || new AudioContext();
    context.resume();
    return context;
  }

  // Plays 16-bit 8 kHz stereo as it comes, a tenth of a second behind, so that small gaps are not heard.
  function listen(path) {
    stop();
    const out = audio();
    let at = 0;
    window.vbHeard = 0;
    socket = new WebSocket(location.origin.replace(/^http/, "ws") + path);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (message) => {
      const samples = new Int16Array(message.data);
      const frames = samples.length / 2;
      const buffer = out.createBuffer(2, frames, 8000);
      for (let channel = 0; channel < 2; channel++) {
        const data = buffer.getChannelData(channel);
        for (let n = 0; n < frames; n++) data[n] = samples[2 * n + channel] / 32768;
      }
      const source = out.createBufferSource();
      source.buffer = buffer;
      source.connect(out.destination);
      at = Math.max(at, out.currentTime + 0.1);
      source.start(at);
      at += buffer.duration;
      window.vbHeard += frames;
    };
  }

  function stop() {
    if (socket) socket.close();
    socket = null;
  }

  function tone() {
    const out = audio();
    const swell = out.createGain();
    swell.gain.setValueAtTime(0.15, out.currentTime);
    swell.gain.exponentialRampToValueAtTime(0.001, out.currentTime + 0.9);
    swell.connect(out.destination);
    for (const hz of [440, 554]) {
      const voice = out.createOscillator();
      voice.frequency.value = hz;
      voice.connect(swell);
      voice.start();
      voice.stop(out.currentTime + 0.9);
    }
  }

  function ring(words) {
    if (ringing) return;
    const once = () => {
      document.title = document.title === words ? title : words;
      if (navigator.vibrate && navigator.userActivation && navigator.userActivation.hasBeenActive)
        navigator.vibrate([400, 200, 400]);
      try { tone(); } catch (silent) { /* not clicked yet: the title flashes */ }
    };
    once();
    ringing = setInterval(once, 1500);
  }

  function quiet() {
    clearInterval(ringing);
    ringing = null;
    if (window.voicebotPush) window.voicebotPush.clear();
    document.title = title;
    if (navigator.vibrate && navigator.userActivation && navigator.userActivation.hasBeenActive)
      navigator.vibrate(0);
  }

  return { listen, stop, ring, quiet };
})();
