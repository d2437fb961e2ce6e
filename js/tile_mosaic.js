// @ts-check
// The tiles of a picture as a grid that is walked with the arrow keys.
import { make } from "./tile_dom.js";

/**
 * @typedef {{rows: number, columns: number, ys?: number[], xs?: number[], tile?: number, height?: number, width?: number}} Layout
 * @typedef {{edited: boolean, skip: boolean}} Look
 * @typedef {{select: (index: number) => void, toggle: (index: number) => void, open: () => void, reset: (index: number) => void}} Acts
 */

/**
 * The cells along one side: each tile up to the middle of its overlaps. Without offsets, equal ones.
 * `at` is where the cell begins in its tile; all in px of the picture.
 * @param {number} count
 * @param {number[] | undefined} offsets
 * @param {number} tile
 * @param {number} length  of the picture
 * @returns {{size: number, at: number}[]}
 */
function cells(count, offsets, tile, length) {
  if (offsets?.length !== count) return Array.from({ length: count }, () => ({ size: tile, at: 0 }));
  const middle = (/** @type {number} */ index) => (offsets[index - 1] + tile + offsets[index]) / 2;
  const bounds = offsets.map((_, index) => (index ? middle(index) : 0));
  return bounds.map((start, index) => ({ size: (bounds[index + 1] ?? length) - start, at: start - offsets[index] }));
}

/**
 * Where and how large the sheet lies behind a cell, along one side: size and position as CSS has them.
 * @param {{size: number, at: number}} cell
 * @param {number} index
 * @param {number} count
 * @param {number} tile
 */
function behind({ size, at }, index, count, tile) {
  const spare = count * tile - size;
  return [`${(100 * count * tile) / size}%`, `${spare ? (100 * (index * tile + at)) / spare : 0}%`];
}

export class TileMosaic {
  /** @param {Acts} acts */
  constructor(acts) {
    this._acts = acts;
    this._layout = "";
    this._columns = 1;
    this._selected = 0;
    /** @type {HTMLElement[]} */
    this._cells = [];
    this.element = make("div", "stage");
    this._grid = make("div", "mosaic", "", { role: "grid" });
    this.element.append(this._grid);
    this._grid.addEventListener("click", (event) => this._onClick(event));
    this._grid.addEventListener("dblclick", () => this._acts.open());
    this._grid.addEventListener("keydown", (event) => this._onKey(event));
  }

  /** @param {Layout} layout */
  layOut(layout) {
    const { rows, columns, ys, xs, tile = 1, height = rows, width = columns } = layout;
    const key = JSON.stringify([rows, columns, ys, xs, tile, height, width]);
    if (key === this._layout) return;
    this._layout = key;
    this._columns = columns;
    const down = cells(rows, ys, tile, height);
    const across = cells(columns, xs, tile, width);
    const total = (/** @type {{size: number}[]} */ parts) => parts.reduce((sum, { size }) => sum + size, 0);
    const tracks = (/** @type {{size: number}[]} */ parts) => parts.map(({ size }) => `minmax(0, ${size}fr)`).join(" ");
    this._grid.style.setProperty("--ratio", String(total(across) / total(down)));
    this._grid.style.setProperty("--columns", String(columns));
    this._grid.style.gridTemplate = `${tracks(down)} / ${tracks(across)}`;
    this._grid.setAttribute("aria-label", `Tiles in ${rows} rows and ${columns} columns`);
    this._cells = [];
    const grown = down.map((high, row) => {
      const line = make("div", "row", "", { role: "row" });
      line.append(
        ...across.map((wide, column) => {
          const [tall, y] = behind(high, row, rows, tile);
          const [broad, x] = behind(wide, column, columns, tile);
          return this._cell(`${broad} ${tall}`, `${x} ${y}`);
        }),
      );
      return line;
    });
    this._grid.replaceChildren(...grown);
  }

  /**
   * Show the tiles from a picture of all of them, or numbers where there is none.
   * @param {string | null} url
   */
  picture(url) {
    this._grid.classList.toggle("vh-pictured", url !== null);
    if (url === null) this._grid.style.removeProperty("--sheet");
    else this._grid.style.setProperty("--sheet", `url("${url}")`);
  }

  /**
   * @param {Look[]} looks  of each tile
   * @param {number} selected
   */
  mark(looks, selected) {
    this._selected = selected;
    this._cells.forEach((cell, index) => {
      const { edited, skip } = looks[index] ?? { edited: false, skip: false };
      cell.classList.toggle("vh-edited", edited);
      cell.classList.toggle("vh-off", skip);
      cell.tabIndex = index === selected ? 0 : -1;
      cell.setAttribute("aria-selected", String(index === selected));
      const place = `row ${Math.floor(index / this._columns) + 1}, column ${(index % this._columns) + 1}`;
      const state = [...(skip ? ["off"] : []), ...(edited ? ["edited"] : [])].map((word) => `, ${word}`).join("");
      cell.setAttribute("aria-label", `Tile ${index + 1}, ${place}${state}`);
      cell.title = `Tile ${index + 1}${state}`;
    });
  }

  focus() {
    this._cells[this._selected]?.focus({ preventScroll: true });
  }

  /**
   * @param {string} size  of the sheet behind it
   * @param {string} position
   */
  _cell(size, position) {
    const index = this._cells.length;
    const cell = make("div", "tile", "", { role: "gridcell", tabindex: "-1" });
    cell.dataset.index = String(index);
    const face = make("span", "face", String(index + 1), { "aria-hidden": "true" });
    face.style.backgroundSize = size;
    face.style.backgroundPosition = position;
    cell.append(face);
    this._cells.push(cell);
    return cell;
  }

  /** @param {Event} event */
  _onClick(event) {
    const cell = /** @type {HTMLElement} */ (event.target).closest?.(".vh-tile");
    if (!(cell instanceof HTMLElement)) return;
    this._acts.select(Number(cell.dataset.index));
    this.focus();
  }

  /** @param {KeyboardEvent} event */
  _onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [index, columns] = [this._selected, this._columns];
    const start = index - (index % columns);
    const row = { ArrowLeft: Math.max(index - 1, start), ArrowRight: Math.min(index + 1, start + columns - 1) };
    const column = { ArrowUp: index - columns, ArrowDown: index + columns };
    /** @type {Record<string, number>} */
    const moves = { ...row, ...column, Home: start, End: start + columns - 1 };
    const target = moves[event.key];
    if (target !== undefined) {
      if (target >= 0 && target < this._cells.length) this._acts.select(target);
      this.focus();
    } else if (event.key === " ") {
      this._acts.toggle(index);
    } else if (event.key === "Enter") {
      this._acts.open();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this._acts.reset(index);
    } else {
      return; // the host's own keys
    }
    // The canvas behind would move or delete the node.
    event.preventDefault();
    event.stopPropagation();
  }
}
