// The page's modules outside a browser: what is vendored as globals, and elements as text.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
export const PAGE = new URL("../../../src/llama_mcp/dashboard/page/", import.meta.url);
globalThis.htmPreact = require(new URL("vendor/htm-preact.js", PAGE).pathname);
globalThis.marked = require(new URL("vendor/marked.js", PAGE).pathname);

export const load = (name) => import(new URL(name, PAGE));

// All elements of a tree, its components rendered; those that hold no state.
export function elementsOf(tree) {
  if (Array.isArray(tree)) return tree.flatMap(elementsOf);
  if (tree === null || typeof tree !== "object") return [];
  if (typeof tree.type === "function") return elementsOf(tree.type(tree.props));
  return [tree, ...elementsOf(tree.props.children)];
}

export function textOf(tree) {
  if (Array.isArray(tree)) return tree.map(textOf).join("");
  if (tree === null || tree === undefined || typeof tree === "boolean") return "";
  if (typeof tree !== "object") return String(tree);
  return textOf(typeof tree.type === "function" ? tree.type(tree.props) : tree.props.children);
}
