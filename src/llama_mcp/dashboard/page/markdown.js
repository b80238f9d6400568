// A reply as elements. marked finds the structure; no HTML is ever parsed, so nothing in it can run.

import { html } from "./elements.js";

const SAFE_LINK = /^(https?:|mailto:)/i;
const NAMED = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
const DEEPEST = 40;

export function Markdown({ text, openLink }) {
  return html`<div class="markdown">${blocks(tokensOf(text ?? ""), openLink, 0)}</div>`;
}

function tokensOf(text) {
  try {
    return marked.lexer(text, { gfm: true, breaks: true });
  } catch {
    return [{ type: "text", text }]; // brackets nested more deeply than marked can follow
  }
}

function blocks(tokens, openLink, depth) {
  if (depth > DEEPEST) return tokens.map((token) => token.raw).join("");
  return tokens.map((token) => (BLOCKS[token.type] ?? asText)(token, openLink, depth + 1));
}

function asText(token) {
  return html`<p>${token.raw ?? token.text}</p>`; // raw HTML, and whatever is new
}

const BLOCKS = {
  space: () => null,
  checkbox: () => null,
  hr: () => html`<hr />`,
  code: (token) => html`<pre tabindex="0"><code>${token.text}</code></pre>`,
  heading: (token, openLink, depth) => html`<p class="heading" role="heading" aria-level=${Math.min(6, token.depth + 3)}>
    ${inline(token.tokens, openLink, depth)}</p>`,
  paragraph: (token, openLink, depth) => html`<p>${inline(token.tokens, openLink, depth)}</p>`,
  text: (token, openLink, depth) => (token.tokens ? inline(token.tokens, openLink, depth) : decoded(token.text)),
  blockquote: (token, openLink, depth) => html`<blockquote>${blocks(token.tokens, openLink, depth)}</blockquote>`,
  list: listOf,
  table: tableOf,
};

function listOf(token, openLink, depth) {
  const items = token.items.map((item) => {
    const box = item.task ? (item.checked ? "☑ " : "☐ ") : "";
    return html`<li>${box}${blocks(item.tokens, openLink, depth)}</li>`;
  });
  return token.ordered ? html`<ol start=${token.start || 1}>${items}</ol>` : html`<ul>${items}</ul>`;
}

function tableOf(token, openLink, depth) {
  const cell = (each) => inline(each.tokens, openLink, depth);
  return html`<div class="scroll" tabindex="0"><table>
    <thead><tr>${token.header.map((each) => html`<th>${cell(each)}</th>`)}</tr></thead>
    <tbody>${token.rows.map((row) => html`<tr>${row.map((each) => html`<td>${cell(each)}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

function inline(tokens, openLink, depth) {
  if (depth > DEEPEST) return (tokens ?? []).map((token) => token.raw).join("");
  return (tokens ?? []).map((token) => {
    const inner = () => inline(token.tokens, openLink, depth + 1);
    switch (token.type) {
      case "strong": return html`<strong>${inner()}</strong>`;
      case "em": return html`<em>${inner()}</em>`;
      case "del": return html`<del>${inner()}</del>`;
      case "codespan": return html`<code>${token.text}</code>`;
      case "br": return html`<br />`;
      case "checkbox": return null;
      case "link": return link(token.href, inner(), openLink);
      case "image": return link(token.href, `[image: ${token.text || token.href}]`, openLink); // never fetched
      case "escape": return decoded(token.text);
      case "text": return token.tokens ? inner() : decoded(token.text);
      default: return token.raw;
    }
  });
}

function link(href, label, openLink) {
  if (!SAFE_LINK.test(href)) return html`<span>${label} (${href})</span>`;
  const open = (event) => {
    event.preventDefault();
    openLink(href);
  };
  return html`<a href=${href} target="_blank" rel="noopener noreferrer nofollow" onClick=${openLink ? open : null}>${label}</a>`;
}

// Outside code the entities that people write stand for their characters.
function decoded(text) {
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => NAMED[name]);
}
