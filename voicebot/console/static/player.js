// <vb-player src peaks>: the recording of a call over its waveform, customer above, bot below.
// Elements anywhere on the page with data-start and data-end (seconds) light up while they are heard, and
// jump there when clicked.
class Player extends HTMLElement {
  async connectedCallback() {
    this.canvas = document.createElement("canvas");
    this.audio = document.createElement("audio");
    this.audio.controls = true;
    this.audio.preload = "metadata";
    this.audio.src = this.getAttribute("src");
    this.audio.setAttribute("aria-label", this.getAttribute("label") || "");
    this.append(this.canvas, this.audio);
    this.canvas.addEventListener("click", (event) => {
      const box = this.canvas.getBoundingClientRect();
      this.jump(((event.clientX - box.left) / box.width) * this.duration());
    });
    for (const name of ["timeupdate", "seeked"]) this.audio.addEventListener(name, () => this.follow());
    document.addEventListener("click", (event) => this.clicked(event));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") this.clicked(event);
    });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    const answer = await fetch(this.getAttribute("peaks"));
    if (answer.ok) {
      this.peaks = await answer.json();
      this.draw();
    }
    this.dataset.ready = "1";
  }
  duration() {
    return this.audio.duration || (this.peaks && this.peaks.duration_s) || 1;
  }
  jump(seconds) {
    this.audio.currentTime = Math.max(0, seconds);
    this.audio.play();
  }
  clicked(event) {
    const target = event.target.closest("[data-start]");
    if (!target) return;
    event.preventDefault();
    this.jump(parseFloat(target.dataset.start));
  }
  follow() {
    const now = this.audio.currentTime;
    for (const part of document.querySelectorAll("[data-start]")) {
      part.classList.toggle("vb-now", now >= +part.dataset.start && now < +part.dataset.end);
    }
    this.draw();
  }
  draw() {
    if (!this.peaks) return;
    const scale = window.devicePixelRatio || 1;
    const width = (this.canvas.width = this.canvas.clientWidth * scale);
    const height = (this.canvas.height = this.canvas.clientHeight * scale);
    const pen = this.canvas.getContext("2d");
    const style = getComputedStyle(document.body);
    const played = (this.audio.currentTime / this.duration()) * width;
    const lanes = [
      [this.peaks.customer, style.getPropertyValue("--vb-warn"), height * 0.25],
      [this.peaks.bot, style.getPropertyValue("--vb-brand"), height * 0.75],
    ];
    for (const [peaks, colour, middle] of lanes) {
      pen.fillStyle = colour;
      const step = width / peaks.length;
      peaks.forEach((peak, index) => {
        const tall = Math.max(scale, peak * height * 0.48);
        pen.globalAlpha = index * step < played ? 1 : 0.55;
        pen.fillRect(index * step, middle - tall / 2, Math.max(1, step * 0.8), tall);
      });
    }
    pen.globalAlpha = 1;
    pen.fillStyle = style.getPropertyValue("--vb-ink");
    pen.fillRect(played, 0, scale, height);
  }
}
customElements.define("vb-player", Player);
