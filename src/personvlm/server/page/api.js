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
  const text = asked.toString();  // its size is not known to every browser that knows the rest
  return text ? `${path}?${text}` : path;
}

export const unreachable = () => new Problem(0, "unreachable",
  "The server does not answer. Is it running, and is this machine connected?");

// Of the sentences about people: the server's choice among the languages that the browser asks for.
export const sentences = { lang: "en" };

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
    throw unreachable();
  }
  sentences.lang = answer.headers.get("Content-Language") ?? sentences.lang;
  if (answer.status === 204) return null;
  const text = await answer.text();
  let found = null;
  try { found = JSON.parse(text); } catch { /* told below */ }
  if (answer.ok && found !== null) return found;
  if (answer.status === 401 && !token) window.dispatchEvent(new CustomEvent("signed-out"));
  const detail = found?.code === "csrf" ? "Another window of this browser has signed in anew. Load this page again." : found?.detail;
  throw new Problem(answer.status, found?.code ?? "answer", detail ?? `The server answered ${answer.status}.`,
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

const AGAIN_MS = 10_000;

// A page that nobody sees lets go of it: a browser has few connections to one server. "gap" says that something may have
// been missed, who came or who was erased, also between what a view has read and the feed's beginning: look anew.
export function feed(query, onEvent, onState, onErased) {
  let source = null;
  let due = 0;
  const open = () => {
    const mine = new EventSource(address("/v1/events/stream", query));
    source = mine;
    mine.addEventListener("open", () => {
      onState("live");
      onState("gap");
    });
    mine.addEventListener("error", () => {
      if (mine !== source) return;
      if (mine.readyState !== EventSource.CLOSED) { onState("waiting"); return; }
      onState("closed");  // the browser gives up on what is refused, though a server that starts again refuses for a while
      get("/v1/session").catch(() => {});  // whose session has ended is asked to sign in
      due = setTimeout(open, AGAIN_MS);
    });
    mine.addEventListener("described", (message) => onEvent(JSON.parse(message.data)));
    mine.addEventListener("erased", (message) => onErased(JSON.parse(message.data).people));
  };
  const close = () => { clearTimeout(due); source?.close(); source = null; };
  const turn = () => {
    if (document.hidden) close();
    else if (!source) open();
  };
  document.addEventListener("visibilitychange", turn);
  if (!document.hidden) open();
  return () => { document.removeEventListener("visibilitychange", turn); close(); };
}
