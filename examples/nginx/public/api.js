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

// Returns a list with its facts; throws an ApiError.
export async function get(name) {
  let response;
  try {
    response = await fetch(`/api/${name}`, { cache: 'no-store', credentials: 'same-origin' });
  } catch {
    throw unreachable();
  }
  const body = await response.json().catch(() => undefined);
  if (response.ok && body) return body;
  throw body?.error ? new ApiError(body.error) : strange(response.status);
}
