// Small plots as SVG: they take the colours of the page, scale with it, and can be read aloud.

import { html } from "./elements.js";
import { clock, isKnown, number } from "./format.js";

const WIDTH = 300;
const HEIGHT = 84;
// One outlier would flatten all others.
const CUT_SHARE = 0.99;
const CUT_FROM = 20;

// points: { at: milliseconds, value, what }
export function Plot({ title, unit, points, from, to, isDotted = false, show = number }) {
  const known = points.filter((point) => isKnown(point.value));
  const { top, isCut } = scaleOf(known.map((point) => point.value));
  const place = placing(from, to, top);
  const last = known.at(-1)?.value;
  const label = known.length ? `${title}: last ${show(last)} ${unit}, highest ${show(highest(known))} ${unit}` : `${title}: nothing yet`;
  return html`<figure>
    <figcaption>${title} <b>${show(last)}</b> <small>${unit}</small></figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label=${label} preserveAspectRatio="none">
      <line class="grid" x1="0" x2=${WIDTH} y1=${place.y(top / 2)} y2=${place.y(top / 2)} />
      <line class="axis" x1="0" x2=${WIDTH} y1=${HEIGHT - 1} y2=${HEIGHT - 1} />
      ${isDotted ? dots(known, place) : line(points, place)}
    </svg>
    <p class="scale" aria-hidden="true"><span>${clock(from)}</span>
      <span>${isCut ? "cut at" : "to"} ${show(top)}</span><span>${clock(to)}</span></p>
  </figure>`;
}

function highest(known) {
  return known.reduce((most, point) => Math.max(most, point.value), 0);
}

function placing(from, to, top) {
  return {
    x: (at) => Number((((at - from) / Math.max(1, to - from)) * WIDTH).toFixed(1)),
    y: (value) => Number((HEIGHT - 1 - (Math.min(value, top) / top) * (HEIGHT - 7)).toFixed(1)),
  };
}

export function scaleOf(values) {
  const sorted = values.filter((value) => value > 0).sort((one, other) => one - other);
  const most = sorted.at(-1) ?? 0;
  const cut = sorted[Math.ceil(sorted.length * CUT_SHARE) - 2] ?? most;
  const isCut = sorted.length >= CUT_FROM && most > 2 * cut;
  return { top: roundedUp(isCut ? cut : most), isCut };
}

export function roundedUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999999);
}

function dots(known, place) {
  return known.map(
    (point) => html`<circle cx=${place.x(point.at)} cy=${place.y(point.value)} r="3"><title>${point.what}</title></circle>`,
  );
}

// Where nothing is known the line has a gap.
export function pieces(points) {
  const found = [[]];
  for (const point of points) {
    if (isKnown(point.value)) found.at(-1).push(point);
    else if (found.at(-1).length) found.push([]);
  }
  return found.filter((piece) => piece.length);
}

function line(points, place) {
  return pieces(points).map((piece) => {
    const path = piece.map((point, index) => `${index ? "L" : "M"}${place.x(point.at)} ${place.y(point.value)}`).join("");
    const [first, last] = [place.x(piece[0].at), place.x(piece.at(-1).at)];
    return html`<path class="area" d="${path}L${last} ${HEIGHT}L${first} ${HEIGHT}Z" /><path class="line" d=${path} />`;
  });
}
