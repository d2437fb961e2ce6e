// @ts-check
// The fields of one tile: its prompt, denoise, seed, and whether it is refined.
import { button, fill, make } from "./tile_dom.js";
import { MAX_SEED } from "./tile_edits.js";

/**
 * @typedef {import("./tile_edits.js").Tile} Tile
 * @typedef {{change: (changes: Partial<Tile>, done: boolean) => void, reset: () => void, leave: () => void}} Acts
 */

const START = 0.35; // where the slider stands before it is touched: TileRefine's default

export class TilePanel {
  /** @param {Acts} acts  `done` is false while somebody still types or drags */
  constructor(acts) {
    this._acts = acts;
    this._caption = "";
    /** @type {Tile | null} */
    this._tile = null;
    this.element = make("fieldset", "panel");
    this._title = make("span", "title");
    this._place = make("span", "muted");
    this._on = make("input", "check", "", { type: "checkbox" });
    const on = make("label", "switch", "", { title: "Off: this tile stays as it is. Space on the tile does the same." });
    on.append(this._on, make("span", "", "Refine this tile"));
    this._reset = button("Reset tile", "This tile as the others again", () => acts.reset());
    const head = make("div", "line");
    head.append(this._title, this._place, make("span", "gap"), on, this._reset);

    this._prompt = make("textarea", "field prompt", "", { rows: "3", "aria-label": "Prompt of this tile", spellcheck: "false" });
    this._source = make("span", "muted clip");
    this._copy = button("", "", () => this._onCopy(), "link");
    const source = make("div", "line source");
    source.append(this._source, make("span", "gap"), this._copy);

    this._denoise = make("input", "slider", "", { type: "range", min: "0", max: "1", step: "0.01", "aria-label": "Denoise" });
    const number = { type: "number", min: "0", max: "1", step: "0.05", placeholder: "\u2013", "aria-label": "Denoise, as a number" };
    this._number = make("input", "field number", "", number);
    this._same = button("Same as others", "The denoise of Tile Refine", () => this._onSame(), "button pill");
    const seed = { type: "text", inputmode: "numeric", autocomplete: "off", "aria-label": "Seed" };
    this._seed = make("input", "field seed", "", { ...seed, placeholder: "base seed + number of the tile" });
    this._automatic = button("Automatic", "A seed of its own for every tile, from the base seed", () => this._onAutomatic(), "button pill");
    const settings = make("div", "settings");
    settings.append(
      make("span", "label", "Denoise"), this._denoise, this._number, this._same,
      make("span", "label", "Seed"), this._seed, this._automatic,
    );
    this.element.append(head, this._prompt, source, settings);
    this._listen();
  }

  /**
   * @param {{index: number, row: number, column: number, tile: Tile, caption: string, locked: boolean}} shown
   */
  show({ index, row, column, tile, caption, locked }) {
    this._tile = tile;
    this._caption = caption;
    this.element.disabled = locked;
    this.element.classList.toggle("vh-skipped", tile.skip);
    this._title.textContent = `Tile ${index + 1}`;
    this._place.textContent = `row ${row + 1}, column ${column + 1}`;
    this._on.checked = !tile.skip;
    const own = tile.prompt !== null;
    fill(this._prompt, tile.prompt ?? "");
    this._prompt.placeholder = this._placeholder(tile, caption);
    this._source.textContent = own ? (caption ? `Caption: ${caption}` : "A prompt of its own") : caption ? "The caption of this tile" : "";
    this._source.title = own ? caption : "";
    this._copy.hidden = !own && !caption;
    this._copy.textContent = own ? (caption ? "Use the caption" : "Remove") : "Edit the caption";
    this._copy.title = own ? "Give up the prompt of this tile" : "Take the caption as the beginning of a prompt of your own";
    const same = tile.denoise === null;
    this._denoise.classList.toggle("vh-same", same);
    fill(this._denoise, String(tile.denoise ?? START));
    this._denoise.setAttribute("aria-valuetext", same ? "same as the others" : String(tile.denoise));
    if (document.activeElement !== this._number) fill(this._number, same ? "" : String(tile.denoise));
    this._same.setAttribute("aria-pressed", String(same));
    if (document.activeElement !== this._seed) fill(this._seed, tile.seed ?? "");
    this._seed.removeAttribute("aria-invalid");
    this._automatic.setAttribute("aria-pressed", String(tile.seed === null));
    this._reset.disabled = !own && same && tile.seed === null && !tile.skip;
  }

  focus() {
    this._prompt.focus({ preventScroll: true });
  }

  /**
   * @param {Tile} tile
   * @param {string} caption
   */
  _placeholder(tile, caption) {
    if (tile.prompt === "") return "Nothing: only the prompt for all tiles.";
    return caption || "A prompt for this tile alone. It comes after the prompt for all tiles.";
  }

  _listen() {
    const { change } = this._acts;
    this._on.addEventListener("change", () => change({ skip: !this._on.checked }, true));
    this._prompt.addEventListener("input", () => change({ prompt: this._prompt.value || null }, false));
    this._denoise.addEventListener("input", () => change({ denoise: Number(this._denoise.value) }, false));
    this._number.addEventListener("input", () => this._onNumber(false));
    this._number.addEventListener("change", () => this._onNumber(true));
    this._seed.addEventListener("input", () => this._onSeed());
    for (const field of [this._prompt, this._denoise, this._seed]) field.addEventListener("change", () => change({}, true));
    for (const field of [this._number, this._seed]) field.addEventListener("blur", () => this._onBlur());
    this.element.addEventListener("keydown", (event) => this._onKey(event));
  }

  _onCopy() {
    const own = this._tile?.prompt !== null;
    this._acts.change({ prompt: own ? null : this._caption }, true);
    this.focus();
  }

  _onSame() {
    this._acts.change({ denoise: this._tile?.denoise === null ? START : null }, true);
  }

  /** @param {boolean} done */
  _onNumber(done) {
    const { value } = this._number;
    if (this._number.validity.badInput) return;
    const denoise = value === "" ? null : Math.min(1, Math.max(0, Number(value)));
    this._acts.change({ denoise }, done);
  }

  _onAutomatic() {
    if (this._tile?.seed === null) this._seed.focus();
    else this._acts.change({ seed: null }, true);
  }

  _onSeed() {
    const text = this._seed.value.trim();
    const good = /^\d*$/.test(text) && (text === "" || BigInt(text) <= MAX_SEED);
    if (good) this._acts.change({ seed: text === "" ? null : String(BigInt(text)) }, false);
    this._seed.setAttribute("aria-invalid", String(!good));
    this._seed.title = good ? "" : `Whole numbers from 0 to ${MAX_SEED}`;
  }

  /** What was not taken goes: the fields show what is in the plan. */
  _onBlur() {
    if (!this._tile) return;
    fill(this._number, this._tile.denoise === null ? "" : String(this._tile.denoise));
    fill(this._seed, this._tile.seed ?? "");
    this._seed.removeAttribute("aria-invalid");
    this._seed.title = "";
  }

  /** @param {KeyboardEvent} event */
  _onKey(event) {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this._acts.leave();
    } else if (!event.ctrlKey && !event.metaKey) {
      event.stopPropagation(); // a slider's arrow keys and a button's space are not the canvas's
    }
  }
}
