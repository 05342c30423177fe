/* The tour: five steps over the page, each with a light on what it speaks of, in the page or in the map's frame.
 *
 * It is offered once by the welcome message and whenever somebody asks in Help; this browser remembers. Its keys are
 * its own while it is open: → or Enter goes on, ← back, Esc ends it.
 */

const SEEN = 'baita:tour', ROOM = 8, GAP = 14, WIDTH = 340;

/** What each step lights, as rectangles of the window; null where it is not on this page, and the step is left out. */
function places(frame) {
  const page = frame.contentWindow.baita, inside = frame.contentDocument;
  const own = selector => () => box(inView(document.querySelector(selector)));
  const its = find => () => { const node = find(); return node && !node.hidden ? shifted(box(inView(node)), frame.getBoundingClientRect()) : null; };
  return {
    set: own('.st-key-set'),
    chips: own('.baita-chips'),
    tray: its(() => page.table.tabs.tray),
    desk: its(() => page.deskButton),
    picture: its(() => inside.querySelector(`.buttons button[aria-label="${CSS.escape(page.text.figure.open)}"]`)),
  };
}

/** Bring a node into the window: on a phone the page scrolls. */
function inView(node) {
  if (node) node.scrollIntoView({ block: 'nearest', behavior: 'instant' });
  return node;
}

function box(node) {
  const { left, top, width, height } = node ? node.getBoundingClientRect() : { width: 0 };
  return width ? { left, top, width, height } : null;
}

function shifted(rect, by) { return rect && { ...rect, left: rect.left + by.left, top: rect.top + by.top }; }

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

export function startTour(frame) {
  if (document.querySelector('.baita-tour')) return;
  const words = frame.contentWindow.baita.text.tour, where = places(frame);
  const steps = Object.keys(where).filter(name => where[name]());
  try { localStorage.setItem(SEEN, '1'); } catch { /* private mode */ }
  if (steps.length) new Tour(words, where, steps).go(0);
}

class Tour {
  constructor(words, where, steps) {
    Object.assign(this, { words, where, steps, at: 0, before: document.activeElement });
    this.light = make('div', 'light');
    this.count = make('small', '');
    this.title = make('h2', '');
    this.text = make('p', '');
    this.skip = this.button('quiet', words.skip, () => this.end());
    this.back = this.button('', words.back, () => this.go(this.at - 1));
    this.next = this.button('main', words.next, () => this.go(this.at + 1));
    this.card = make('div', 'card', this.count, this.title, this.text, make('div', 'actions', this.skip, this.back, this.next));
    this.title.id = 'baita-tour-title';
    this.text.id = 'baita-tour-text';
    this.node = make('div', 'baita-tour', this.light, this.card);
    for (const [name, value] of Object.entries({ role: 'dialog', 'aria-modal': 'true', 'aria-labelledby': this.title.id, 'aria-describedby': this.text.id })) this.card.setAttribute(name, value);
    this.keys = event => this.pressed(event);
    this.resized = () => this.place();
    window.addEventListener('keydown', this.keys, true);
    window.addEventListener('resize', this.resized);
    document.body.append(this.node);
  }

  button(className, label, run) {
    const node = make('button', className, label);
    node.type = 'button';
    node.addEventListener('click', run);
    return node;
  }

  go(to) {
    if (to >= this.steps.length) { this.end(); return; }
    this.at = Math.max(0, to);
    const name = this.steps[this.at];
    this.count.textContent = `${this.at + 1} / ${this.steps.length}`;
    [this.title.textContent, this.text.textContent] = [this.words[name].title, this.words[name].text];
    this.back.hidden = this.at === 0;
    this.next.textContent = this.at + 1 < this.steps.length ? this.words.next : this.words.done;
    this.place();
    this.next.focus();
  }

  /** The light on its place; the card below it if there is room, else above, and always inside the window. */
  place() {
    const rect = this.where[this.steps[this.at]]();
    if (!rect) { this.end(); return; }
    const { innerWidth, innerHeight } = window, own = this.card.getBoundingClientRect();
    const top = Math.max(0, rect.top - ROOM), bottom = Math.min(innerHeight, rect.top + rect.height + ROOM);
    const left = Math.max(0, rect.left - ROOM), right = Math.min(innerWidth, rect.left + rect.width + ROOM);
    Object.assign(this.light.style, { left: left + 'px', top: top + 'px', width: right - left + 'px', height: bottom - top + 'px' });
    const beside = bottom - top > innerHeight / 2, below = bottom + GAP + own.height < innerHeight;
    const x = beside ? right + GAP : (left + right - WIDTH) / 2;
    const y = beside ? top + GAP : below ? bottom + GAP : top - GAP - own.height;
    this.card.style.left = Math.min(Math.max(GAP, x), innerWidth - WIDTH - GAP) + 'px';
    this.card.style.top = Math.min(Math.max(GAP, y), innerHeight - own.height - GAP) + 'px';
  }

  pressed(event) {
    const does = { Escape: () => this.end(), ArrowRight: () => this.go(this.at + 1), ArrowLeft: () => this.go(this.at - 1) }[event.key];
    if (event.key === 'Tab') this.turn(event.shiftKey ? -1 : 1);
    else if (does) does();
    else if (event.key !== 'Enter' && event.key !== ' ') return event.stopImmediatePropagation();
    if (does || event.key === 'Tab') event.preventDefault();
    event.stopImmediatePropagation();
  }

  /** The next of the card's own buttons: nothing behind it can be reached meanwhile. */
  turn(by) {
    const buttons = [this.skip, this.back, this.next].filter(one => !one.hidden), now = buttons.indexOf(document.activeElement);
    buttons[(now + by + buttons.length) % buttons.length].focus();
  }

  end() {
    window.removeEventListener('keydown', this.keys, true);
    window.removeEventListener('resize', this.resized);
    this.node.remove();
    if (this.before && this.before.isConnected) this.before.focus();
  }
}
