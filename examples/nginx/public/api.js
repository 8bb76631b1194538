// Asks this machine for what /api/ has.

export class ApiError extends Error {
  constructor({ kind, message, hint }) {
    super(message);
    Object.assign(this, { kind, hint });
  }
}

const unreachable = () => new ApiError({
  kind: 'unreachable', message: 'The server of this page does not answer.',
  hint: 'Is nginx still running? This page tries again by itself.',
});

const strange = (status) => new ApiError({
  kind: 'strange', message: `The server of this page answers with status ${status}.`,
  hint: "See nginx's error log.",
});

// A list with its facts, or an ApiError.
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
