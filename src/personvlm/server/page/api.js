// The server's HTTP API: one function per kind of request, and errors that say what to do.

let csrf = null;

export class Problem extends Error {
  constructor(status, code, detail, scope = null) {
    super(detail);
    Object.assign(this, { status, code, scope });
  }
}

function address(path, query = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") asked.append(name, each);
    }
  }
  return asked.size ? `${path}?${asked}` : path;
}

async function call(method, path, { body, token, signal } = {}) {
  const headers = { Accept: "application/json" };
  const form = body instanceof FormData;  // the browser names its kind, with the boundary
  if (body !== undefined && !form) headers["Content-Type"] = "application/json";
  if (csrf !== null && method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (token) headers.Authorization = `Bearer ${token}`;
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, credentials: "same-origin",
                                 body: body === undefined || form ? body : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The server does not answer. Is it running, and is this machine connected?");
  }
  if (answer.status === 204) return null;
  const text = await answer.text();
  let found = null;
  try { found = JSON.parse(text); } catch { /* told below */ }
  if (answer.ok && found !== null) return found;
  if (answer.status === 401 && !token) window.dispatchEvent(new CustomEvent("signed-out"));
  throw new Problem(answer.status, found?.code ?? "answer", found?.detail ?? `The server answered ${answer.status}.`,
    found?.scope ?? null);
}

export const get = (path, query, signal) => call("GET", address(path, query), { signal });
export const post = (path, body, signal) => call("POST", path, { body, signal });
export const upload = (path, query, name, file, signal) => {
  const body = new FormData();
  body.append(name, file);
  return call("POST", address(path, query), { body, signal });
};
export const put = (path, body) => call("PUT", path, { body });
export const remove = (path) => call("DELETE", path);

// ---- who one is. The token is sent once, in a header; from then on a cookie that scripts cannot read stands for it.

export const me = { name: "", scopes: [], token: false };

function remember(session) {
  csrf = session.csrf;
  Object.assign(me, { name: session.name, scopes: session.scopes, token: session.csrf !== null });
}

export const may = (scope) => me.scopes.includes(scope);

export async function whoAmI() {
  remember(await call("GET", "/v1/session"));
}

export async function signIn(token) {
  remember(await call("POST", "/v1/session", { token }));
}

export async function signOut() {
  await call("DELETE", "/v1/session");
  csrf = null;
  Object.assign(me, { name: "", scopes: [], token: false });
}

// ---- the live feed

// A page that nobody sees lets go of it: a browser has few connections to one server. Seen again, it is told of the gap.
export function feed(query, onEvent, onState) {
  let source = null;
  const open = () => {
    source = new EventSource(address("/v1/events/stream", query));
    source.addEventListener("open", () => onState("live"));
    source.addEventListener("error", () => onState(source?.readyState === EventSource.CLOSED ? "closed" : "waiting"));
    source.addEventListener("described", (message) => onEvent(JSON.parse(message.data)));
  };
  const close = () => { source?.close(); source = null; };
  const turn = () => {
    if (document.hidden) close();
    else if (!source) { open(); onState("gap"); }
  };
  document.addEventListener("visibilitychange", turn);
  if (!document.hidden) open();
  return () => { document.removeEventListener("visibilitychange", turn); close(); };
}
