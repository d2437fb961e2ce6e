// @ts-check
// The edits of a Tile Plan: the JSON in its `edits` widget, read and written without losing anything in it.

/**
 * @typedef {{caption: string, prompt: string | null, denoise: number | null, seed: string | null, skip: boolean}} Tile
 * @typedef {{rows: number, columns: number}} Grid
 * @typedef {Record<string, unknown>} Fields
 */

export const MAX_SEED = 2n ** 64n - 1n;

// A number of JavaScript holds 53 bits, a seed 64: longer ones travel as a text behind this mark.
const MARK = "\u0000";
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const LONG = /^\d{16,}$/;

/** @param {string} text */
function parse(text) {
  return JSON.parse(text.replace(TOKENS, (token) => (LONG.test(token) ? JSON.stringify(MARK + token) : token)));
}

/**
 * An object on one line; keys without a value are left out.
 * @param {Fields} fields
 */
function line(fields) {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  const parts = said.map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{${parts.join(", ")}}`.replace(/"\\u0000(\d{16,})"/g, "$1");
}

/**
 * @param {unknown} value
 * @returns {value is Fields}
 */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {unknown} value
 * @returns {number | null}
 */
function count(value) {
  return typeof value === "number" && Number.isInteger(value) && value > 0 ? value : null;
}

export class Edits {
  /** @param {string} text  Empty for no edits. Throws an Error that says what is wrong with any other text. */
  constructor(text) {
    const data = text.trim() ? parse(text) : {};
    if (!isObject(data)) throw new Error("it is not an object in braces");
    const { tiles, ...head } = data;
    if (tiles !== undefined && tiles !== null && !Array.isArray(tiles)) throw new Error('"tiles" is not a list');
    /** @type {Fields} */
    this._head = head;
    /** @type {Map<string, Fields>} */
    this._tiles = new Map();
    for (const entry of tiles ?? []) {
      if (!isObject(entry)) throw new Error("an entry of its tiles is not an object in braces");
      const { row, column, ...fields } = entry;
      if (!Number.isInteger(row) || !Number.isInteger(column)) throw new Error("a tile has no row or column");
      const key = `${row},${column}`;
      if (this._tiles.has(key)) throw new Error(`row ${row}, column ${column} is there twice`);
      this._tiles.set(key, fields);
    }
  }

  /** The grid that the edits were made for; null where they do not say. */
  get grid() {
    const [rows, columns] = [count(this._head.rows), count(this._head.columns)];
    return rows && columns ? { rows, columns } : null;
  }

  /**
   * @param {number} row
   * @param {number} column
   * @returns {Tile}
   */
  tile(row, column) {
    const { caption, prompt, denoise, seed, skip } = this._tiles.get(`${row},${column}`) ?? {};
    return {
      caption: typeof caption === "string" ? caption : "",
      prompt: typeof prompt === "string" ? prompt : null,
      denoise: typeof denoise === "number" ? denoise : null,
      seed: typeof seed === "number" || typeof seed === "string" ? String(seed).replace(MARK, "") : null,
      skip: skip === true,
    };
  }

  /**
   * Whether this tile has a prompt, a denoise or a seed of its own.
   * @param {number} row
   * @param {number} column
   */
  edited(row, column) {
    const { prompt, denoise, seed } = this.tile(row, column);
    return prompt !== null || denoise !== null || seed !== null;
  }

  /**
   * Change fields of one tile; null (skip: false) makes it as the others again.
   * @param {Grid} grid  what the edits are made for
   * @param {number} row
   * @param {number} column
   * @param {Partial<Tile>} changes
   */
  set(grid, row, column, changes) {
    Object.assign(this._head, { rows: grid.rows, columns: grid.columns });
    const key = `${row},${column}`;
    /** @type {Fields} */
    const fields = { ...this._tiles.get(key), ...changes };
    if (typeof changes.seed === "string") {
      fields.seed = LONG.test(changes.seed) ? MARK + changes.seed : Number(changes.seed);
    }
    this._tiles.set(key, fields);
  }

  /** How many tiles of these edits lie in a grid, and how many they are. @param {Grid} grid */
  fitting(grid) {
    const places = [...this._tiles.keys()].filter((key) => this._says(key)).map((key) => key.split(",").map(Number));
    const fit = places.filter(([row, column]) => row >= 0 && row < grid.rows && column >= 0 && column < grid.columns);
    return { fit: fit.length, all: places.length };
  }

  /** Make these the edits of another grid: tiles outside it are dropped. @param {Grid} grid */
  adapt(grid) {
    Object.assign(this._head, { rows: grid.rows, columns: grid.columns });
    for (const key of this._tiles.keys()) {
      const [row, column] = key.split(",").map(Number);
      if (row < 0 || row >= grid.rows || column < 0 || column >= grid.columns) this._tiles.delete(key);
    }
  }

  /** The text for the widget: a tile a line, only what is set; empty when nothing is. */
  text() {
    const lines = [...this._tiles]
      .filter(([key]) => this._says(key))
      .map(([key, fields]) => ({ place: key.split(",").map(Number), fields }))
      .sort((a, b) => a.place[0] - b.place[0] || a.place[1] - b.place[1])
      .map(({ place: [row, column], fields }) => line({ row, column, ...this._set(fields) }));
    const { rows, columns, version, ...own } = this._head;
    const said = Object.values(own).some((value) => value !== null && value !== "");
    if (!lines.length && !said) return "";
    const head = line({ version, rows, columns, ...own }).slice(0, -1);
    return lines.length ? `${head}, "tiles": [\n${lines.join(",\n")}\n]}` : `${head}}`;
  }

  /** @param {string} key */
  _says(key) {
    return Object.keys(this._set(this._tiles.get(key) ?? {})).length > 0;
  }

  /**
   * Fields that say something: an empty prompt does (no caption), an empty caption does not.
   * @param {Fields} fields
   * @returns {Fields}
   */
  _set(fields) {
    const silent = (/** @type {string} */ name, /** @type {unknown} */ value) =>
      value === null || value === undefined || (name === "skip" && value === false) || (name === "caption" && value === "");
    return Object.fromEntries(Object.entries(fields).filter(([name, value]) => !silent(name, value)));
  }
}
