// What the page has seen: the last look, and of earlier ones what plots and speeds need.

export const KEPT_SAMPLES = 900;
export const KEPT_TURNS = 200;
// Looks that lie closer together give no speed.
const LEAST_SECONDS = 0.2;

export function nothingSeen() {
  return { snapshot: null, samples: [], ended: [], slots: new Map() };
}

// What the next look has to tell only what came after.
export function askFor(seen) {
  return { since: seen.snapshot?.at ?? 0 };
}

export function takeLook(seen, snapshot) {
  const slots = withSpeeds(seen, snapshot);
  const known = new Set(seen.ended.map(keyOf));
  const ended = [...seen.ended, ...snapshot.ended.filter((turn) => !known.has(keyOf(turn)))];
  const last = seen.samples.at(-1)?.at ?? 0;
  const samples = [...seen.samples, ...snapshot.samples.filter((sample) => sample.at > last)];
  return {
    snapshot: { ...snapshot, slots },
    samples: samples.slice(-KEPT_SAMPLES),
    ended: ended.sort((one, other) => one.at - other.at).slice(-KEPT_TURNS),
    slots: new Map(slots.map((slot) => [slot.id, slot.generated_tokens ?? 0])),
  };
}

function keyOf(turn) {
  return `${turn.session_id}/${turn.turn}`;
}

// The speed of a slot is what it gained between two looks.
function withSpeeds(seen, snapshot) {
  const seconds = (snapshot.at - (seen.snapshot?.at ?? snapshot.at)) / 1000;
  return (snapshot.slots ?? []).map((slot) => {
    const gained = (slot.generated_tokens ?? 0) - (seen.slots.get(slot.id) ?? NaN);
    const isTold = slot.is_processing && seconds > LEAST_SECONDS && gained >= 0;
    return { ...slot, speed: isTold ? gained / seconds : null };
  });
}

export function speedNow(seen) {
  const speeds = (seen.snapshot?.slots ?? []).map((slot) => slot.speed).filter((speed) => speed !== null);
  if (speeds.length) return speeds.reduce((sum, speed) => sum + speed, 0);
  return seen.snapshot?.metrics?.generated_tokens_per_second_now ?? null;
}
