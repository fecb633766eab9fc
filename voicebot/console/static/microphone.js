// Turns what the microphone hears into 20 ms frames of the telephone line.
class Line extends AudioWorkletProcessor {
  constructor(options) {
    super();
    this.hz = options.processorOptions.hz;
    this.step = sampleRate / this.hz;
    this.at = 0; // where the next sample of the line lies, in samples of the block to come
    this.last = 0;
    this.frame = new Int16Array(this.hz / 50);
    this.filled = 0;
    this.loudest = 0;
  }

  process(inputs) {
    const block = inputs[0][0];
    if (!block) return true;
    for (; this.at < block.length; this.at += this.step) {
      const before = Math.floor(this.at);
      const part = this.at - before;
      const left = before > 0 ? block[before - 1] : this.last;
      const value = left + (block[before] - left) * part;
      this.loudest = Math.max(this.loudest, Math.abs(value));
      this.frame[this.filled++] = Math.max(-1, Math.min(1, value)) * 32767;
      if (this.filled === this.frame.length) this.send();
    }
    this.at -= block.length;
    this.last = block[block.length - 1];
    return true;
  }

  send() {
    const pcm = this.frame.slice().buffer;
    this.port.postMessage({ pcm, level: this.loudest }, [pcm]);
    this.filled = 0;
    this.loudest = 0;
  }
}

registerProcessor("line", Line);
