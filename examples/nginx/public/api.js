// Loads the lists from /api/.

export class ApiError extends Error {
  constructor({ kind, message, hint }) {
    super(message);
    Object.assign(this, { kind, hint });
  }
}

const unreachable = () => new ApiError({
  kind: 'unreachable', message: 'The server of this page does not respond.',
  hint: 'Check that nginx is running. This page tries again by itself.',
});

const strange = (status) => new ApiError({
  kind: 'strange', message: `The server of this page responds with status ${status}.`,
  hint: "See nginx's error log.",
});

const last = new Map(); // of each list: its name, its tag, and its body

// Returns a list with its facts; throws an ApiError. A list that has not changed is not sent again.
export async function get(name) {
  const [list] = name.split('?');
  const known = last.get(list)?.name === name ? last.get(list) : undefined;
  let response;
  try {
    response = await fetch(`/api/${name}`, { cache: 'no-store', credentials: 'same-origin',
      headers: known ? { 'If-None-Match': known.tag } : {} });
  } catch {
    throw unreachable();
  }
  if (response.status === 304 && known) return known.body;
  const body = await response.json().catch(() => undefined);
  if (!response.ok || !body) {
    throw body?.error ? new ApiError(body.error) : strange(response.status);
  }
  const tag = response.headers.get('ETag');
  if (tag) last.set(list, { name, tag, body });
  return body;
}
