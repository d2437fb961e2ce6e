// @ts-check
// A pane that shows drawings as <img>: wheel zooms at the pointer, dragging pans, double click fits.

const MAX_ZOOM = 64;
const CHECKS = "conic-gradient(#8a8a8a 25%, #a6a6a6 0 50%, #8a8a8a 0 75%, #a6a6a6 0) 0 0 / 16px 16px";
const BUTTON = "min-width:26px;height:24px;padding:0 7px;border:1px solid #8886;border-radius:5px;background:#8882;color:inherit;font:inherit;line-height:1;cursor:pointer";

/**
 * @typedef {{shapes?: number, segments?: number, bytes?: number, colors?: number, width?: number, height?: number}} Figures
 * @typedef {{url: string, name: string, figures: Figures}} Drawing
 */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} style
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[K]}
 */
function make(tag, style, text = "") {
  const element = document.createElement(tag);
  element.style.cssText = style;
  element.textContent = text;
  return element;
}

/**
 * @param {string} label
 * @param {string} title
 * @returns {HTMLButtonElement}
 */
function button(label, title) {
  const element = make("button", BUTTON, label);
  element.type = "button";
  element.title = title;
  element.setAttribute("aria-label", title);
  return element;
}

/**
 * @param {unknown} value
 * @param {string} unit
 * @returns {string[]}
 */
function counted(value, unit) {
  if (typeof value !== "number" || !Number.isFinite(value)) return [];
  return [`${value.toLocaleString("en")} ${value === 1 ? unit.replace(/s$/, "") : unit}`];
}

/**
 * "512 x 512 px · 12 shapes · ..." of what the report holds.
 * @param {Figures} figures
 * @returns {string}
 */
export function describe(figures) {
  const { width, height, bytes } = figures;
  const size = typeof width === "number" && typeof height === "number" ? [`${round(width)} \u00d7 ${round(height)} px`] : [];
  const weight = typeof bytes === "number" ? [bytes < 10_000 ? `${bytes.toLocaleString("en")} bytes` : `${round(bytes / 1000)} kB`] : [];
  const counts = [...counted(figures.colors, "colours"), ...counted(figures.shapes, "shapes"), ...counted(figures.segments, "segments")];
  return [...size, ...counts, ...weight].join(" \u00b7 ");
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}

export class SvgView {
  constructor() {
    /** @type {Drawing[]} */
    this._drawings = [];
    this._index = 0;
    this._zoom = 1;
    this._pan = { x: 0, y: 0 };
    /** @type {{id: number, x: number, y: number} | null} */
    this._drag = null;
    this._listeners = new AbortController();

    this.element = make("div", "display:flex;flex-direction:column;gap:5px;width:100%;height:100%;font:12px/1.3 system-ui,sans-serif;color:var(--input-text,#ddd)");
    this.element.dataset.vectrahub = "svg-view";
    this._stage = make("div", `position:relative;flex:1 1 0;min-height:0;overflow:hidden;border-radius:6px;background:${CHECKS};touch-action:none;cursor:grab;outline:none`);
    // The front-end's own nodes leave the wheel to such an element, while it has the focus.
    this._stage.dataset.captureWheel = "true";
    this._stage.tabIndex = -1;
    this._stage.title = "Wheel: zoom. Drag: move. Double click: fit.";
    this._image = make("img", "position:absolute;inset:0;width:100%;height:100%;object-fit:contain;transform-origin:0 0;pointer-events:none;user-select:none");
    this._image.draggable = false;
    this._hint = make("div", "position:absolute;inset:0;display:grid;place-items:center;text-align:center;padding:12px;color:#222", "The drawing appears here");
    this._figures = make("div", "min-height:1.3em;text-align:center;opacity:.85");
    this._figures.dataset.vectrahub = "figures";
    this._bar = make("div", "display:flex;align-items:center;justify-content:center;gap:5px");
    this._previous = button("\u2039", "Previous drawing");
    this._page = make("span", "min-width:44px;text-align:center");
    this._next = button("\u203a", "Next drawing");
    this._fit = button("Fit", "Show the whole drawing");
    this._download = button("Download SVG", "Download this drawing");
    this._bar.append(this._previous, this._page, this._next, this._fit, this._download);
    this._stage.append(this._image, this._hint);
    this.element.append(this._stage, this._figures, this._bar);
    this._listen();
    this.show([]);
  }

  /**
   * Show these drawings, the first of them at full view; none shows a hint.
   * @param {Drawing[]} drawings
   */
  show(drawings) {
    this._drawings = drawings;
    this._turn(0);
  }

  /** Let go of every listener and of the picture. */
  dispose() {
    this._listeners.abort();
    this._image.removeAttribute("src");
    this._drawings = [];
  }

  /** @param {number} index */
  _turn(index) {
    const count = this._drawings.length;
    this._index = count ? (index + count) % count : 0;
    const drawing = this._drawings[this._index];
    this.fit();
    this._hint.textContent = "The drawing appears here";
    this._hint.style.display = drawing ? "none" : "grid";
    this._image.style.display = drawing ? "block" : "none";
    if (drawing) {
      this._image.alt = drawing.name;
      this._image.src = drawing.url;
    } else {
      this._image.removeAttribute("src");
    }
    this._figures.textContent = drawing ? describe(drawing.figures) : "";
    this._page.textContent = `${this._index + 1} / ${count}`;
    for (const part of [this._previous, this._page, this._next]) part.style.display = count > 1 ? "" : "none";
    this._bar.style.visibility = drawing ? "visible" : "hidden";
  }

  fit() {
    this._zoom = 1;
    this._pan = { x: 0, y: 0 };
    this._place();
  }

  _place() {
    const { clientWidth: width, clientHeight: height } = this._stage;
    const slack = this._zoom - 1; // the picture always covers its pane
    this._pan.x = Math.min(0, Math.max(-width * slack, this._pan.x));
    this._pan.y = Math.min(0, Math.max(-height * slack, this._pan.y));
    // Laying it out larger, instead of scaling what was painted, keeps the outlines sharp at any zoom.
    Object.assign(this._image.style, {
      left: `${this._pan.x}px`,
      top: `${this._pan.y}px`,
      width: `${100 * this._zoom}%`,
      height: `${100 * this._zoom}%`,
    });
  }

  /**
   * A point of the screen in pixels of the pane, which the canvas may show larger or smaller.
   * @param {MouseEvent} event
   */
  _point(event) {
    const box = this._stage.getBoundingClientRect();
    const scale = box.width / (this._stage.clientWidth || 1) || 1;
    return { x: (event.clientX - box.left) / scale, y: (event.clientY - box.top) / scale };
  }

  _listen() {
    const options = { signal: this._listeners.signal };
    const stage = this._stage;
    stage.addEventListener("wheel", (event) => this._onWheel(event), { ...options, passive: false });
    stage.addEventListener("pointerenter", () => this._onEnter(), options);
    stage.addEventListener("pointerleave", () => stage.blur(), options);
    stage.addEventListener("pointerdown", (event) => this._onGrab(event), options);
    stage.addEventListener("pointermove", (event) => this._onMove(event), options);
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
      stage.addEventListener(name, () => this._onDrop(), options);
    }
    stage.addEventListener("dblclick", () => this.fit(), options);
    this._image.addEventListener("error", () => this._onLost(), options);
    this._previous.addEventListener("click", () => this._turn(this._index - 1), options);
    this._next.addEventListener("click", () => this._turn(this._index + 1), options);
    this._fit.addEventListener("click", () => this.fit(), options);
    this._download.addEventListener("click", () => this._save(), options);
  }

  /** @param {WheelEvent} event */
  _onWheel(event) {
    if (!this._drawings.length) return; // an empty pane leaves the wheel to the canvas
    event.preventDefault();
    event.stopPropagation();
    const before = this._zoom;
    this._zoom = Math.min(MAX_ZOOM, Math.max(1, before * Math.exp(-event.deltaY / 400)));
    const { x, y } = this._point(event);
    const factor = this._zoom / before;
    this._pan = { x: x - (x - this._pan.x) * factor, y: y - (y - this._pan.y) * factor };
    this._place();
  }

  /** Take the focus for the wheel, but not from a field in which somebody types. */
  _onEnter() {
    const busy = document.activeElement && document.activeElement !== document.body;
    if (!busy && this._drawings.length) this._stage.focus({ preventScroll: true });
  }

  /** @param {PointerEvent} event */
  _onGrab(event) {
    if (event.button !== 0 || !this._drawings.length) return;
    event.stopPropagation();
    this._stage.focus({ preventScroll: true });
    this._stage.setPointerCapture(event.pointerId);
    this._stage.style.cursor = "grabbing";
    this._drag = { id: event.pointerId, ...this._point(event) };
  }

  /** @param {PointerEvent} event */
  _onMove(event) {
    if (this._drag?.id !== event.pointerId) return;
    event.stopPropagation();
    const { x, y } = this._point(event);
    this._pan = { x: this._pan.x + x - this._drag.x, y: this._pan.y + y - this._drag.y };
    this._drag = { id: event.pointerId, x, y };
    this._place();
  }

  _onDrop() {
    this._drag = null;
    this._stage.style.cursor = "grab";
  }

  _onLost() {
    if (!this._drawings.length) return;
    this._image.style.display = "none";
    this._bar.style.visibility = "hidden";
    this._figures.textContent = "";
    this._hint.textContent = "The saved file is no longer there";
    this._hint.style.display = "grid";
  }

  _save() {
    const drawing = this._drawings[this._index];
    if (!drawing) return;
    const link = document.createElement("a");
    link.href = drawing.url;
    link.download = drawing.name;
    link.click();
  }
}
