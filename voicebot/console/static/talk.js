// The browser's microphone and loudspeaker as a telephone: 16-bit 8 kHz mono both ways over a websocket.
window.vbTalk = (() => {
  const LINE_HZ = 8000;
  const BEHIND_S = 0.12; // so that small gaps are not heard
  let stream = null;
  let context = null;
  let socket = null;

  // Asks for the microphone. Returns "" if it may be heard, else why not.
  async function microphone() {
    if (!window.isSecureContext || !navigator.mediaDevices) return "insecure";
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
      });
      return "";
    } catch (error) {
      return error.name === "NotAllowedError" ? "refused" : "missing";
    }
  }

  async function talk(path) {
    context = new AudioContext();
    await context.resume();
    await context.audioWorklet.addModule("/static/microphone.js");
    socket = new WebSocket(location.origin.replace(/^http/, "ws") + path);
    socket.binaryType = "arraybuffer";
    socket.onclose = stop;
    capture();
    play();
  }

  function capture() {
    // What the line can not carry must go before every n-th sample is taken, or it is heard as other tones.
    let node = context.createMediaStreamSource(stream);
    for (let twice = 0; twice < 2; twice++) {
      const low = new BiquadFilterNode(context, { type: "lowpass", frequency: 3400 });
      node.connect(low);
      node = low;
    }
    const line = new AudioWorkletNode(context, "line", { numberOfOutputs: 0, processorOptions: { hz: LINE_HZ } });
    node.connect(line);
    line.port.onmessage = (message) => {
      if (socket && socket.readyState === WebSocket.OPEN) socket.send(message.data.pcm);
      const meter = document.getElementById("vb-level");
      if (meter) meter.value = message.data.level;
    };
  }

  function play() {
    let at = 0;
    window.vbTalked = 0;
    socket.onmessage = (message) => {
      const samples = new Int16Array(message.data);
      const buffer = context.createBuffer(1, samples.length, LINE_HZ);
      const data = buffer.getChannelData(0);
      for (let n = 0; n < samples.length; n++) data[n] = samples[n] / 32768;
      const source = context.createBufferSource();
      source.buffer = buffer;
      source.connect(context.destination);
      if (at < context.currentTime) at = context.currentTime + BEHIND_S;
      source.start(at);
      at += buffer.duration;
      window.vbTalked += samples.length;
    };
  }

  function stop() {
    if (socket) socket.close();
    if (stream) stream.getTracks().forEach((track) => track.stop());
    if (context) context.close();
    socket = stream = context = null;
    const meter = document.getElementById("vb-level");
    if (meter) meter.value = 0;
  }

  return { microphone, talk, stop };
})();
