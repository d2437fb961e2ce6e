// @ts-check
// What runs have given a Tile Plan: told by the front-end, else asked of the host.
import { app } from "/scripts/app.js";
import { api } from "/scripts/api.js";

/**
 * @typedef {import("./tile_editor.js").Tiles} Tiles
 * @typedef {import("./tile_editor.js").SavedFile} SavedFile
 * @typedef {{vectrahub_tiles?: Tiles[]}} Output
 */

const JOBS = 4; // of this workflow that are looked through: the last ones may have stopped before the plan

/**
 * Address of a picture that a run has left.
 * @param {SavedFile} file
 */
export function address({ filename, subfolder, type }) {
  return new URL(api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`), location.href).href;
}

/**
 * The tiles in a result, if it has any.
 * @param {Output | undefined} output
 * @returns {Tiles | undefined}
 */
export function tilesOf(output) {
  const tiles = output?.vectrahub_tiles?.[0];
  return [tiles?.rows, tiles?.columns].every((count) => Number.isInteger(count) && Number(count) > 0) ? tiles : undefined;
}

/**
 * The last result of a node that the front-end holds: by id, in a subgraph by the subgraph's too.
 * @param {any} node
 * @returns {Output | undefined}
 */
export function outputOf({ graph, id }) {
  const key = graph && graph !== graph.rootGraph ? `${graph.id}:${id}` : String(id);
  return app.nodeOutputs?.[key];
}

/**
 * The node of an id as the host uses it: "5", or "3:5" for node 5 inside the subgraph node 3.
 * @param {string} id
 */
export function nodeOf(id) {
  /** @type {any} */
  let graph = app.graph?.rootGraph ?? app.graph;
  /** @type {any} */
  let node;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById(/^\d+$/.test(part) ? Number(part) : part);
    graph = node?.subgraph;
  }
  return node;
}

/** @param {string} path */
async function ask(path) {
  const answer = await api.fetchApi(path);
  return answer.ok ? await answer.json() : {};
}

/**
 * The tiles of this node in the host's last jobs of this workflow. The front-end forgets results when a page or a
 * workflow is opened again; the host has them until it is restarted.
 * @param {any} node
 * @returns {Promise<Tiles | undefined>}
 */
export async function rememberedTiles(node) {
  const workflow = node.graph?.rootGraph?.id;
  if (!workflow || /^[0-]+$/.test(workflow)) return undefined; // a graph that was never saved or loaded has no name
  const query = new URLSearchParams({ workflow_id: workflow, status: "completed,failed,cancelled", limit: String(JOBS) });
  const { jobs = [] } = await ask(`/jobs?${query}`);
  for (const { id } of jobs) {
    const { outputs = {} } = await ask(`/jobs/${id}`);
    const key = Object.keys(outputs).find((one) => tilesOf(outputs[one]) && nodeOf(one) === node);
    if (key) return tilesOf(outputs[key]);
  }
  return undefined;
}
