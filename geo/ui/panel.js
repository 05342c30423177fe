/* The parts of the page that are not Streamlit widgets: the map's frame, the status chips, the key figures.
 *
 * Streamlit calls `default` again on every run with new data. The frame is made once and kept; a run only posts it
 * what to show. The view and the chosen site live in the address after '#', so panning never asks the server.
 */

const MAP = { frame: null, ready: false, start: null, view: null, act: null, words: null, chips: null };
const HASH = /^#(\d+(?:\.\d+)?)\/(-?\d+(?:\.\d+)?)\/(-?\d+(?:\.\d+)?)(?:\/(.+))?$/;

export default function (component) {
  const { data, parentElement } = component;
  for (const style of data.styles || []) addStyle(style);
  showTheme();
  ({ map: showMap, chips: showChips, figures: showFigures, help: showHelp })[data.part](component, data, parentElement);
}

const ASKED = {}, LAST = {}, REPEAT_MS = 5000;

/** Ask something of the server, and return its number. Of clicks that reach it while it is busy it hands on only the
 * last, so each repeats those shortly before it; by `turn` the server does nothing twice. */
function ask(component, what) {
  // Later than any turn before, also on a computer whose clock was put back: else the server would take it for done.
  const part = component.data.part, before = ASKED[part] || [], turn = LAST[part] = Math.max(Date.now(), (LAST[part] || 0) + 1);
  const asked = ASKED[part] = [...before.filter(one => one.turn > turn - REPEAT_MS), { ...what, turn }].slice(-8);
  component.setTriggerValue('act', asked);
  return turn;
}

// ---- dark or light ----------------------------------------------------------------------------------------------

const THEME_KEY = `stActiveTheme-${location.pathname}-v2`; // where Streamlit keeps what a visitor chose: "System", "Light", "Dark"

/** What Streamlit shows is what our parts show; it follows the computer's wish unless a visitor has chosen. */
function showTheme() {
  const app = document.querySelector('.stApp'), dark = matchMedia('(forced-colors: active)').matches ? darkGround() : app && getComputedStyle(app).colorScheme.includes('dark'), theme = dark ? 'dark' : 'light';
  if (document.documentElement.dataset.theme === theme) return;
  document.documentElement.dataset.theme = theme;
  MAP.send({ type: 'baita:command', run: 'theme', theme });
}

/** A contrast theme of the computer paints all but our canvas: whether its ground is dark. */
function darkGround() {
  const probe = document.body.appendChild(document.createElement('i'));
  probe.style.background = 'Canvas';
  const [r, g, b] = getComputedStyle(probe).backgroundColor.match(/\d+/g).map(Number);
  probe.remove();
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}

/** The other theme, remembered. Streamlit reads it when a page loads; filter, view and chosen site are in the address. */
function switchTheme() {
  const dark = document.documentElement.dataset.theme === 'dark';
  try { localStorage.setItem(THEME_KEY, JSON.stringify(dark ? 'Light' : 'Dark')); } catch { return; }
  location.reload();
}

for (const [target, event] of [[matchMedia('(prefers-color-scheme: dark)'), 'change'], [matchMedia('(forced-colors: active)'), 'change'], [window, 'afterprint']]) target.addEventListener(event, () => { showTheme(); setTimeout(showTheme, 300); });

// ---- paper ------------------------------------------------------------------------------------------------------

function print(on) {
  const page = MAP.frame && MAP.frame.contentWindow.baita;
  document.documentElement.classList.toggle('baita-printing', on);
  if (page) page.access.print(on);
}
window.addEventListener('beforeprint', () => print(true));
window.addEventListener('afterprint', () => print(false));

// ---- skip links -------------------------------------------------------------------------------------------------

/** The first two stops of the Tab key: past the filters, to the map or to the same as a table. */
function addSkips(words) {
  let nav = document.querySelector('.baita-skip');
  if (nav && nav.lang === words.language) return;
  if (!nav) { nav = document.createElement('nav'); nav.className = 'baita-skip'; document.body.prepend(nav); }
  nav.lang = words.language;
  nav.setAttribute('aria-label', words.to_map);
  nav.replaceChildren(...[['to_map', 'go-map'], ['to_table', 'go-table']].map(([name, run]) => {
    const button = document.createElement('button');
    button.textContent = words[name];
    button.addEventListener('click', () => { MAP.frame.contentWindow.focus(); MAP.send({ type: 'baita:command', run }); });
    return button;
  }));
}

function addStyle(href) {
  if (!href || document.querySelector(`link[href="${href}"]`)) return;
  document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href }));
}

// ---- the map's frame ------------------------------------------------------------------------------------------

function showMap(component, data, host) {
  MAP.act = what => { if (mayAsk()) { MAP.unanswered ||= CHANGES.has(what.type); ask(component, what); } };
  MAP.words = data.chips;
  MAP.guide = data.guide;
  addSkips(data.chips);
  if (!MAP.frame || !host.contains(MAP.frame) || MAP.frame.dataset.src !== data.src) {
    MAP.frame = Object.assign(document.createElement('iframe'), { className: 'baita-map', title: data.title, src: data.src, allow: 'fullscreen; clipboard-write' });
    MAP.frame.dataset.src = data.src;
    MAP.ready = false;
    MAP.start = readHash() || MAP.view; // the address is without it while Streamlit writes there the language
    host.replaceChildren(MAP.frame);
  }
  if (LINK.turn && data.back === LINK.turn) back();
  if (data.answer && data.answer.turn !== MAP.answered) {
    MAP.answered = data.answer.turn;
    MAP.unanswered = false;
    MAP.send({ type: 'baita:answer', ...data.answer });
  }
}

MAP.send = message => { if (MAP.frame) MAP.frame.contentWindow.postMessage(message, location.origin); };

function readHash() {
  const found = HASH.exec(location.hash);
  if (!found || Math.abs(found[2]) > 85 || Math.abs(found[3]) > 180) return null;
  let site = '';
  try { site = decodeURIComponent(found[4] || ''); } catch { /* a mangled link still has its view */ }
  return { zoom: Number(found[1]), lat: Number(found[2]), lon: Number(found[3]), site };
}

function keepHash() {
  const v = MAP.view;
  if (!v) return;
  const hash = `#${Number(v.zoom.toFixed(2))}/${v.lat.toFixed(5)}/${v.lon.toFixed(5)}${v.site ? '/' + encodeURIComponent(v.site) : ''}`;
  if (hash !== location.hash) history.replaceState(history.state, '', hash);
}

const FROM_MAP = {
  ready(message) {
    if (message.loads > 0) return;
    MAP.ready = true;
    if (MAP.chips) tell(MAP.chips, MAP.start);
  },
  view(message) { MAP.view = message; keepHash(); },
  place(message) { MAP.act({ ...message, type: 'place' }); },
  candidate(message) { MAP.act({ type: 'candidate', site_id: message.site_id, candidate: message.candidate }); },
  edit(message) { MAP.act({ type: 'edit', site_id: message.site_id, version: message.version, values: message.values }); },
  edit_many(message) { MAP.act({ type: 'edit_many', version: message.version, rows: message.rows, values: message.values }); },
  same(message) { MAP.act({ type: 'same', site_id: message.site_id }); },
  undo(message) { MAP.act({ type: 'undo', step: message.step || 0, placing: message.placing === true }); },
  redo(message) { MAP.act({ type: 'redo', step: message.step || 0 }); },
  refresh() { MAP.act({ type: 'refresh' }); },
  show(message) { MAP.act({ type: 'show', query: String(message.query) }); },
  time(message) { MAP.act({ type: 'time', as_of: message.as_of, since: message.since }); },
  open(message) { MAP.act({ type: 'open', dataset: message.dataset }); },
  key(message) { pressed(message.key); },
  tour() { takeTour(); },
  theme() { switchTheme(); },
  trouble(message) { if (!LINK.away) showTrouble(String(message.words)); },
};

window.addEventListener('message', event => {
  if (event.origin !== location.origin || !MAP.frame || event.source !== MAP.frame.contentWindow || !event.data) return;
  const name = String(event.data.type || '').replace('baita:', '');
  if (Object.hasOwn(FROM_MAP, name)) FROM_MAP[name](event.data);
});

function present(on) {
  document.documentElement.classList.toggle('baita-presenting', on);
  MAP.send({ type: 'baita:command', run: on ? 'present' : 'normal' });
  if (on && MAP.frame) MAP.frame.contentWindow.focus();
}

/** Keys that concern the page; the map's page handles its own. Returns whether the key meant something. */
function pressed(key) {
  const presenting = document.documentElement.classList.contains('baita-presenting');
  if (key === 'p' || (key === 'Escape' && presenting)) present(!presenting);
  else if (key === 'clear') MAP.act({ type: 'clear' });
  else if (key === '?') openGuide();
  else if (key === '/') {
    const search = document.querySelector('.st-key-q input');
    window.focus();
    if (search) { search.focus(); search.select(); }
  } else return false;
  return true;
}

document.addEventListener('keydown', event => {
  const inside = what => event.target.closest && event.target.closest(what), typing = inside('input,textarea,select,[contenteditable]');
  // A dialog keeps its keys: what they do on the map would be done behind it.
  const step = typing || inside('[role="dialog"]') || !MAP.ready ? '' : MAP.frame.contentWindow.BaitaMap.stepOf(event);
  if (step) { event.preventDefault(); MAP.send({ type: 'baita:command', run: step }); return; }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (typing || inside('[role="combobox"],[role="listbox"],[role="dialog"]')) return;
  if (pressed(event.key)) event.preventDefault();
  else if ('befilrtu[]'.includes(event.key) && event.key.length === 1 || event.key === 'Escape') {
    // What opens now has keys of its own.
    if ('eirtu'.includes(event.key) && MAP.frame) MAP.frame.contentWindow.focus();
    MAP.send({ type: 'baita:command', key: event.key });
  }
});

// ---- the server away --------------------------------------------------------------------------------------------

/* Streamlit connects again by itself and says how that goes in an attribute. Its own words for it are a dialog that
 * takes the focus from what is being typed; ours are a line at the top. What is shown and typed stays where it is.
 * A server that was restarted does not know the page, and Streamlit does not tell it: every click would ask for a part
 * of a run that never was. So the whole page is asked to run, and is back when the map has the answer. */

const LINK = { away: false, turn: 0, words: null, timer: 0 }, STATE = 'data-test-connection-state';
const CHANGES = new Set(['place', 'candidate', 'edit', 'edit_many', 'same', 'undo', 'redo']); // each is answered
const BLINK_MS = 500, BACK_MS = 4000, RUN_MS = 20000;

function watchLink() {
  const app = document.querySelector('.stApp'), state = app && app.getAttribute(STATE);
  if (!state) return;
  const away = state !== 'CONNECTED';
  if (away && !LINK.away && MAP.words) gone();
  if (!LINK.away) return;
  closeForeign();
  if (state === 'DISCONNECTED_FOREVER') tellLink(MAP.words.gone, true);
  if (away) LINK.turn = 0; else if (!LINK.turn) runAgain();
}
new MutationObserver(watchLink).observe(document.documentElement, { subtree: true, childList: true, attributes: true, attributeFilter: [STATE] });

function gone() {
  LINK.away = true;
  // After a restart nobody knows what was carried out already: nothing of before is sent again.
  for (const part of Object.keys(ASKED)) delete ASKED[part];
  if (MAP.chips) MAP.chips.asked = 0;
  MAP.send({ type: 'baita:command', run: 'away' });
  clearTimeout(LINK.timer);
  LINK.timer = setTimeout(() => { if (LINK.away) tellLink(MAP.words.away); }, BLINK_MS);
}

/** Ask the server to run all of the page; the key figures are in no fragment, so what they ask for is just that. */
function runAgain() {
  const turn = LINK.turn = Date.now();
  MAP.rerun(turn);
  setTimeout(() => { if (LINK.away && LINK.turn === turn) back(); }, RUN_MS); // the page has an error to show instead
}

function back() {
  LINK.away = false;
  LINK.turn = 0;
  clearTimeout(LINK.timer);
  MAP.send({ type: 'baita:command', run: 'back' });
  if (LINK.words && LINK.words.dataset.words) { tellLink(MAP.words.back); LINK.timer = setTimeout(() => tellLink(''), BACK_MS); }
  if (MAP.unanswered) MAP.send({ type: 'baita:answer', ok: false, message: MAP.words.unsure });
  MAP.unanswered = false;
}

/** Whether the server can be asked; if not, the person is told that nothing was done. */
function mayAsk() {
  if (LINK.away) MAP.send({ type: 'baita:answer', ok: false, message: MAP.words.away_act });
  return !LINK.away;
}

/** The server is there and its store is not: what it says of that, and "" once it is back. */
function showTrouble(words) {
  clearTimeout(LINK.timer);
  tellLink(words || MAP.words.back, false, Boolean(words));
  if (!words) LINK.timer = setTimeout(() => tellLink(''), BACK_MS);
}

/** A line at the top of the page; "" takes it away. */
function tellLink(words, reload = false, bad = LINK.away) {
  if (!LINK.words) {
    LINK.words = document.createElement('div');
    LINK.words.className = 'baita-link';
    LINK.words.setAttribute('role', 'status');
    document.body.append(LINK.words);
  }
  if (LINK.words.dataset.words === words) return;
  LINK.words.dataset.words = words;
  LINK.words.classList.toggle('away', bad);
  LINK.words.replaceChildren(...(words ? [words] : []));
  if (!reload) return;
  const button = document.createElement('button');
  button.textContent = MAP.words.reload;
  button.addEventListener('click', () => location.reload());
  LINK.words.append(button);
}

/** Close Streamlit's dialog about the connection (one of ours has blocks in it), and give the focus back. */
function closeForeign() {
  const dialog = [...document.querySelectorAll('[data-testid="stDialog"]')].find(one => !one.querySelector('[data-testid="stVerticalBlock"]'));
  const close = dialog && dialog.querySelector('button');
  if (!close || close === LINK.closed) return;
  LINK.closed = close;
  const before = dialog.contains(document.activeElement) ? null : document.activeElement;
  close.click();
  setTimeout(() => { if (before === MAP.frame) MAP.frame.contentWindow.focus(); else if (before) before.focus({ preventScroll: true }); });
}

// ---- help ------------------------------------------------------------------------------------------------------

/** The guide in a tab of its own, so that the map stays as it is; the same tab each time. */
function openGuide() { window.open(new URL(MAP.guide, document.baseURI), 'baita-guide'); }

/** Fetched when first asked for: most visits need no tour. */
async function takeTour() { if (MAP.frame && MAP.ready) (await import('./tour.js')).startTour(MAP.frame); }

function showHelp(component, data, host) {
  if (host.querySelector('.baita-help')) return;
  const box = document.createElement('div'), guide = document.createElement('a'), tour = document.createElement('button');
  box.className = 'baita-help';
  Object.assign(guide, { href: data.guide, target: 'baita-guide', textContent: data.words.open });
  Object.assign(tour, { type: 'button', textContent: data.words.tour });
  const opener = document.querySelector('.stPopover button');
  tour.addEventListener('click', () => {
    opener.click(); // closes Help, which would lie over what the tour shows
    opener.focus();
    takeTour();
  });
  box.append(guide, tour);
  host.append(box);
  // Streamlit puts Help at the end of the page: Tab would go all around to come to it.
  if (document.activeElement === opener) guide.focus({ preventScroll: true });
}

// ---- status chips ---------------------------------------------------------------------------------------------

const DOUBLE_MS = 350, ANSWER_MS = 3000;

function showChips(component, data, host) {
  host.act = what => { if (mayAsk()) host.asked = ask(component, what); };
  // An answer to an earlier one of several quick clicks would only flicker; that to the last says everything.
  if (data.turn < host.asked && Date.now() - host.asked < ANSWER_MS) return;
  host.chips = data;
  host.foreseen = null;
  MAP.chips = host;
  if (MAP.ready) tell(host); // else the frame asks as soon as it is there
}

/** Tell the map's page what to show, and the first time where; show the same on the chips, whose symbols are its. */
function tell(host, view = null) {
  MAP.send({ type: 'baita:state', ...host.chips.state, view });
  paintChips(host);
  setTimeout(keepHash, 60); // Streamlit writes the address anew when a filter changes, without what follows '#'
}

function paintChips(host) {
  const { counts, state } = host.chips, { words } = MAP, page = MAP.frame.contentWindow.baita, off = new Set(state.hidden);
  if (host.language !== words.language) { host.language = words.language; host.querySelector('.baita-chips')?.remove(); }
  let box = host.querySelector('.baita-chips');
  if (!box) { box = buildChips(host, page, words); host.append(box); }
  for (const chip of box.querySelectorAll('.chip[data-code]')) {
    const [total, located] = counts[chip.dataset.code];
    chip.setAttribute('aria-pressed', String(!off.has(Number(chip.dataset.code))));
    chip.classList.toggle('zero', total === 0);
    chip.querySelector('b').textContent = located < total ? `${located}/${total}` : total;
    paintDelta(chip, (host.chips.deltas || [])[chip.dataset.code]);
    chip.title = (located < total ? words.partly.replace('{located}', located).replace('{total}', total) + ' ' : '') + words.solo;
  }
  for (const head of box.querySelectorAll('.kind')) {
    const codes = head.dataset.codes.split(',').map(Number);
    const sum = k => codes.reduce((all, code) => all + counts[code][k], 0), total = sum(0), located = sum(1);
    head.querySelector('b').textContent = located < total ? `${located}/${total}` : total;
    head.setAttribute('aria-pressed', String(codes.some(code => !off.has(code))));
  }
  box.querySelector('.all').hidden = !off.size;
}

/** What came to a status and left it, beside its number; nothing where nothing is compared. */
function paintDelta(chip, delta) {
  let node = chip.querySelector('.delta');
  if (!delta) { if (node) node.remove(); return; }
  if (!node) { node = document.createElement('i'); node.className = 'delta'; chip.append(node); }
  // Its twin is `signs` of map_time.js, in a frame that may not be there yet when the chips are.
  node.textContent = [delta[0] ? `+${delta[0]}` : '', delta[1] ? `−${delta[1]}` : ''].filter(Boolean).join('/');
}

function buildChips(host, page, words) {
  const make = (tag, className, ...children) => { const node = document.createElement(tag); node.className = className; node.append(...children); return node; };
  const box = make('div', 'baita-chips');
  for (const kind of page.kinds) {
    const codes = kind.statuses.map(status => status.code), head = make('button', 'kind', make('span', '', kind.label), make('b', ''));
    head.dataset.codes = codes.join(',');
    head.title = kind.question;
    clickable(head, words, host, codes, { type: 'toggle_kind', kind: kind.code }, { type: 'solo_kind', kind: kind.code });
    const group = make('div', 'group', head);
    for (const status of kind.statuses) {
      const chip = make('button', 'chip', page.symbol(status), make('span', '', status.label), make('b', ''));
      chip.dataset.code = status.code;
      chip.dataset.key = status.key;
      clickable(chip, words, host, [status.code], { type: 'toggle', key: status.key }, { type: 'solo', key: status.key });
      const only = make('button', 'only', '◎');
      only.title = words.only;
      only.tabIndex = -1; // Shift+Enter on the chip does the same
      only.setAttribute('aria-label', `${words.only}: ${status.label}`);
      only.addEventListener('click', () => chip.onlyThis());
      group.append(make('div', 'line', chip, only));
    }
    box.append(group);
  }
  const all = make('button', 'all', words.all);
  all.addEventListener('click', () => host.act({ type: 'all' }));
  box.append(all);
  return box;
}

/** One click switches at once. A second one soon after means "only this" whatever the first one did, or "all" again
 * where only this was shown before. */
function clickable(node, words, host, codes, once, twice) {
  let last = 0, alone = false;
  node.title = node.title ? `${node.title} ${words.solo}` : words.solo;
  const act = what => { if (!LINK.away) foresee(host, what.type, codes); host.act(what); };
  node.onlyThis = () => act(isAlone(host.chips, codes) ? { type: 'all' } : twice);
  node.addEventListener('click', event => {
    if (event.shiftKey) { node.onlyThis(); return; }
    const now = event.timeStamp, again = now - last < DOUBLE_MS;
    last = again ? 0 : now;
    if (!again) alone = isAlone(host.chips, codes);
    act(!again ? once : alone ? { type: 'all' } : twice);
  });
}

/** Let the map show at once what a click comes to. What counts is the server's answer, which follows. */
function foresee(host, type, codes) {
  const off = host.foreseen || host.chips.state.hidden, others = [...host.chips.counts.keys()].filter(code => !codes.includes(code));
  if (type === 'all') host.foreseen = [];
  else if (type.startsWith('solo')) host.foreseen = others;
  else host.foreseen = [...off.filter(code => others.includes(code)), ...(codes.every(code => off.includes(code)) ? [] : codes)];
  MAP.send({ type: 'baita:preview', hidden: host.foreseen });
}

function isAlone({ counts, state }, codes) {
  return state.hidden.length === counts.length - codes.length && !codes.some(code => state.hidden.includes(code));
}

// ---- key figures ----------------------------------------------------------------------------------------------

function showFigures(component, data, host) {
  MAP.rerun = turn => component.setTriggerValue('back', turn);
  const box = document.createElement('div'), add = (parent, tag, className, text) => { const n = document.createElement(tag); n.className = className; n.textContent = text; parent.append(n); return n; };
  box.className = 'baita-head';
  add(box, 'h1', '', data.title);
  if (data.notice) add(box, 'span', 'notice', data.notice);
  for (const card of data.cards) {
    const node = add(box, 'div', 'card', '');
    node.title = `${card.label}\n${card.detail}\n${card.source}`;
    node.tabIndex = 0;
    add(node, 'span', 'label', card.label);
    add(node, 'b', '', card.value);
    add(node, 'span', 'share', card.share);
  }
  host.querySelector('.baita-head')?.remove();
  host.append(box);
}
