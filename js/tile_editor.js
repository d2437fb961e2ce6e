// @ts-check
// The mosaic editor of a Tile Plan: the tiles, the fields of the selected one, and what stands against an edit.
import { button, fill, make } from "./tile_dom.js";
import { Edits } from "./tile_edits.js";
import { TileMosaic } from "./tile_mosaic.js";
import { TilePanel } from "./tile_panel.js";

/**
 * @typedef {import("./tile_edits.js").Grid} Grid
 * @typedef {import("./tile_edits.js").Tile} Tile
 * @typedef {{filename: string, subfolder: string, type: string}} SavedFile
 * @typedef {import("./tile_mosaic.js").Layout & {texts?: string[], prompt?: string, thumbnails?: SavedFile | null}} Tiles
 * @typedef {{read: () => string, write: (text: string) => void, keep: () => void, linked: () => boolean, address: (file: SavedFile) => string}} Store
 */

const MANY = 4096; // tiles: more are neither told apart nor drawn in time
const TIMES = " \u00d7 ";

/** @param {Grid} grid */
function shape({ rows, columns }) {
  return `${rows}${TIMES}${columns}`;
}

/**
 * @param {Grid | null} a
 * @param {Grid | null} b
 */
function alike(a, b) {
  return a?.rows === b?.rows && a?.columns === b?.columns;
}

export class TileEditor {
  /** @param {Store} store  where the edits are: the text of the node's widget */
  constructor(store) {
    this._store = store;
    /** @type {Tiles | null} */
    this._tiles = null;
    this._selected = 0;
    this._pictured = "";
    this._asText = false;
    /** @type {Edits | null} */
    this._edits = null;
    this._problem = "";
    /** @type {Grid | null} */
    this._known = null;
    this._said = "";

    this.element = make("section", "tiles", "", { "data-vectrahub": "tile-editor", "aria-label": "Tile editor" });
    this._summary = make("span", "summary", "", { role: "status" });
    this._allOn = button("All on", "Refine every tile", () => this._switchAll(false));
    this._allOff = button("All off", "Refine no tile; then switch on the ones you want", () => this._switchAll(true));
    this._clear = button("Clear edits", "Every tile as it was before you edited any", () => this._write("", true));
    this._text = button("{ }", "Edit as text", () => this._turnText(), "button toggle");
    this._text.setAttribute("aria-label", "Edit as text");
    const bar = make("div", "line bar");
    bar.append(this._summary, make("span", "gap"), this._allOn, this._allOff, this._clear, this._text);

    this._banner = make("div", "banner", "", { role: "alert" });
    this._mosaic = new TileMosaic({
      select: (index) => this._select(index),
      toggle: (index) => this._toggle(index),
      open: () => this._panel.focus(),
      reset: () => this._reset(),
    });
    this._panel = new TilePanel({
      change: (changes, done) => this._change(changes, done),
      reset: () => this._reset(),
      leave: () => this._mosaic.focus(),
    });
    this._hint = make("div", "hint");
    this._json = make("textarea", "field json", "", { "aria-label": "Edits as JSON", spellcheck: "false" });
    this._json.placeholder = '{"tiles": [{"row": 0, "column": 0, "denoise": 0.5}]}';
    this._json.addEventListener("input", () => this._write(this._json.value, false));
    this._json.addEventListener("change", () => this._store.keep());
    this.element.append(bar, this._banner, this._hint, this._mosaic.element, this._panel.element, this._json);
    this.refresh();
  }

  /** Show what a run gave. @param {Tiles} tiles */
  show(tiles) {
    this._tiles = tiles;
    this._picture(tiles.thumbnails ? this._store.address(tiles.thumbnails) : "");
    this.refresh();
  }

  /** Show what the widget's text says now. */
  refresh() {
    const text = this._store.read();
    try {
      this._edits = new Edits(text);
      this._problem = "";
    } catch (error) {
      this._edits = null;
      this._problem = error instanceof Error ? error.message : String(error);
    }
    const grid = this._grid;
    this._say(grid);
    const few = grid !== null && grid.rows * grid.columns <= MANY;
    if (few) this._known = grid; // the tiles stay in sight when the last edit is taken back
    const tiled = few && !this._asText;
    this._hint.hidden = few || this._asText;
    this._hint.textContent = grid === null ? "Run once to see the tiles" : `${shape(grid)} tiles are too many to show`;
    this._mosaic.element.hidden = !tiled;
    this._panel.element.hidden = !tiled;
    this._json.hidden = !this._asText;
    this._text.setAttribute("aria-pressed", String(this._asText));
    fill(this._json, text);
    this._clear.disabled = !text || this._store.linked();
    this._json.disabled = this._store.linked();
    for (const one of [this._allOn, this._allOff]) one.disabled = !tiled || this._locked;
    if (grid && few) this._draw(grid);
    else this._summary.textContent = "";
  }

  /** Whether it shows what a run gave. */
  get ran() {
    return this._tiles !== null;
  }

  /** Whether the tiles can be looked at only. */
  get _locked() {
    const made = this._edits?.grid ?? null;
    return this._edits === null || this._store.linked() || (this._tiles !== null && made !== null && !alike(made, this._tiles));
  }

  /** @param {Grid} grid */
  _draw(grid) {
    const { rows, columns } = grid;
    const count = rows * columns;
    this._selected = Math.min(this._selected, count - 1);
    const edits = this._edits ?? new Edits("");
    const looks = Array.from({ length: count }, (_, index) => {
      const place = /** @type {const} */ ([Math.floor(index / columns), index % columns]);
      return { edited: edits.edited(...place), skip: edits.tile(...place).skip };
    });
    const off = looks.filter((look) => look.skip).length;
    const edited = looks.filter((look) => look.edited).length;
    const parts = [count === 1 ? "1 tile" : `${shape(grid)} tiles`, ...(off ? [`${off} off`] : []), ...(edited ? [`${edited} edited`] : [])];
    this._summary.textContent = parts.join(" \u00b7 ");
    this._mosaic.layOut(grid);
    this._mosaic.mark(looks, this._selected);
    const [row, column] = [Math.floor(this._selected / columns), this._selected % columns];
    const tile = edits.tile(row, column);
    const caption = this._tiles?.texts?.[this._selected] || tile.caption;
    this._panel.show({ index: this._selected, row, column, tile, caption, locked: this._locked });
  }

  /** Put into words what stands against the next run. @param {Grid | null} grid */
  _say(grid) {
    const made = this._edits?.grid ?? null;
    /** @type {Node[]} */
    const actions = [];
    let words = "";
    if (this._store.linked()) {
      words = "The edits come from the node that is connected to them.";
    } else if (this._problem) {
      words = `The edits cannot be read: ${this._problem}. ${this._asText ? "" : "Correct them as text, or clear them."}`;
    } else if (this._edits && this._tiles && grid && made && !alike(made, grid)) {
      const { fit, all } = this._edits.fitting(grid);
      words =
        `You edited ${shape(made)} tiles, but the picture now has ${shape(grid)} (rows${TIMES}columns). ` +
        "A run will stop here until you set Tile Split back, keep the edits that fit, or clear them.";
      const label = fit === all ? "Keep the edits" : `Keep ${fit} of ${all} edits`;
      const title = "They stay with their row and column, which may show something else now";
      if (fit) actions.push(button(label, title, () => this._edit((edits) => edits.adapt(grid), true)));
    }
    if (words !== this._said) this._banner.replaceChildren(words, ...actions);
    this._said = words;
    this._banner.hidden = !words;
    this._banner.classList.toggle("vh-bad", !this._store.linked());
  }

  /** @param {string} url */
  _picture(url) {
    if (url === this._pictured) return;
    this._pictured = url;
    this._mosaic.picture(null);
    if (!url) return;
    const image = new Image();
    // A sheet that is gone (the host empties its temporary folder) leaves the numbered tiles.
    image.addEventListener("load", () => url === this._pictured && this._mosaic.picture(image.src));
    image.src = url;
  }

  /** @param {number} index */
  _select(index) {
    this._selected = index;
    this.refresh();
  }

  _turnText() {
    this._asText = !this._asText;
    this.refresh();
    if (this._asText) this._json.focus({ preventScroll: true });
  }

  /** @returns {Grid | null} */
  get _grid() {
    return this._tiles ?? this._edits?.grid ?? this._known;
  }

  /** @param {number} index */
  _toggle(index) {
    const grid = this._grid;
    if (!grid) return;
    const skip = !this._edits?.tile(Math.floor(index / grid.columns), index % grid.columns).skip;
    this._change({ skip }, true);
  }

  _reset() {
    this._change({ prompt: null, denoise: null, seed: null, skip: false }, true);
  }

  /** @param {boolean} skip */
  _switchAll(skip) {
    const grid = this._grid;
    if (!grid || this._locked) return;
    this._edit((edits) => {
      for (let row = 0; row < grid.rows; row++) {
        for (let column = 0; column < grid.columns; column++) edits.set(grid, row, column, { skip });
      }
    }, true);
  }

  /**
   * @param {Partial<Tile>} changes  of the selected tile
   * @param {boolean} done
   */
  _change(changes, done) {
    const grid = this._grid;
    if (!grid || this._locked) return;
    const { columns } = grid;
    const place = /** @type {const} */ ([Math.floor(this._selected / columns), this._selected % columns]);
    this._edit((edits) => Object.keys(changes).length && edits.set(grid, ...place, changes), done);
  }

  /**
   * @param {(edits: Edits) => void} alter
   * @param {boolean} done
   */
  _edit(alter, done) {
    if (!this._edits || this._store.linked()) return;
    const before = this._edits.text();
    alter(this._edits);
    const after = this._edits.text();
    this._write(after === before ? this._store.read() : after, done);
  }

  /**
   * @param {string} text
   * @param {boolean} done  false while somebody still types: one step of undo for all of it
   */
  _write(text, done) {
    if (text !== this._store.read()) this._store.write(text);
    if (done) this._store.keep();
    this.refresh();
  }
}
