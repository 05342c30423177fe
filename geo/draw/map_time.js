/* Time on the map page: the bar under the map that chooses a day, rings around what has changed since another day, the
 * list of it, and a small chart for each status.
 *
 * Which day is shown, and compared with which, is in the address and comes with the state as `as_of` and `since`; the
 * bar only asks for another one. An earlier day has data addresses of its own, so nothing here filters sites.
 */
(function () {
  'use strict';

  const { el, fill, data } = window.BaitaParts;
  const UNCHANGED = 255, APPEARED = 254; // as in geo/timeline.py
  const CHANGED = '#00875a';             // as in geo/export/paint.py
  const DAY_MS = 86400000, WAIT_MS = 80, ANSWER_MS = 3000;
  const LINE_PX = 50;                    // height of a line of the list, as in map_page.css
  const FULL_TURN = 2 * Math.PI, MANY = 15000, RING_GAP = 4, RING_PX = 2.2;
  const CHART = { width: 150, height: 34, edge: 4 }, LAST_STEP = 1.3;

  // ---- rings, on the layer ------------------------------------------------------------------------------------

  L.SiteLayer.include({
    /** @param {Uint8Array|null} old the code of each row's category before, UNCHANGED or APPEARED; null compares nothing */
    setChanged(old) {
      this._old = old;
      this._redraw();
    },

    isChanged(row) { return Boolean(this._old) && this._old[row] !== UNCHANGED; },

    /** The code before: of a row that has changed, or -1 for one that was not there. */
    codeBefore(row) { return this._old[row] === APPEARED ? -1 : this._old[row]; },

    /** Changed rows that the filter keeps, in table order. */
    changedRows() {
      const rows = [];
      if (this._old && this.data) for (let row = 0; row < this.data.rows; row++) if (this._old[row] !== UNCHANGED && this.isShown(row)) rows.push(row);
      return rows;
    },

    /** By code: [came, left] of the rows on the map that the filter keeps, categories aside; null if nothing is compared. */
    changedCounts() {
      const { _old: old, _bits: bits, data: d } = this;
      if (!old || !d) return null;
      const counts = Array.from({ length: 256 }, () => [0, 0]);
      for (let row = 0; row < d.rows; row++) {
        if (old[row] === UNCHANGED || !this.isLocated(row) || (bits && !((bits[row >> 3] >> (row & 7)) & 1))) continue;
        counts[d.code[row]][0]++;
        if (old[row] !== APPEARED) counts[old[row]][1]++;
      }
      return counts;
    },

    /** Under the roads and areas that have changed: what shows on both sides of them. */
    _drawChangedShapes(view) {
      const d = this.data, path = new Path2D(), { box } = view;
      for (let s = 0; s < d.shape_row.length; s++) {
        const b = 4 * s;
        if (d.bounds[b] > box[2] || d.bounds[b + 2] < box[0] || d.bounds[b + 1] > box[3] || d.bounds[b + 3] < box[1]) continue;
        if (this.isChanged(d.shape_row[s]) && this.isShown(d.shape_row[s])) { this._trace(path, s, view); this.ringed++; }
      }
      this._context.lineJoin = this._context.lineCap = 'round';
      this._stroke(path, CHANGED, 12, false, view);
    },

    /** A ring around each point that has changed, apart from its symbol; over thousands a thin one. */
    _drawRings(view, runs, inView) {
      const d = this.data, context = this._context, path = new Path2D(), many = inView > MANY;
      const radius = (many ? 4 : this._symbolRadius(inView) * 1.15 + RING_GAP) * view.ratio;
      for (const [from, to] of runs) for (let i = from; i < to; i++) {
        if (!this.isChanged(d.point_row[i]) || !this._shownPoint(i)) continue;
        const x = d.point_x[i] * view.scale - view.left, y = d.point_y[i] * view.scale - view.top;
        path.moveTo(x + radius, y);
        path.arc(x, y, radius, 0, FULL_TURN);
        this.ringed++;
      }
      context.setLineDash([]);
      for (const [colour, width] of many ? [[CHANGED, 1.2]] : [['#ffffffe0', RING_PX + 2.2], [CHANGED, RING_PX]]) {
        context.strokeStyle = colour;
        context.lineWidth = width * view.ratio;
        context.stroke(path);
      }
    },
  });

  const signs = ([came, left]) => [came ? `+${came}` : '', left ? `−${left}` : ''].filter(Boolean).join('/');
  const number = day => Math.round(Date.parse(day + 'T00:00:00Z') / DAY_MS);
  const named = value => new Date(value * DAY_MS).toISOString().slice(0, 10);

  /** Whether a line of a colour would not be seen on white: above 0.8 of its lightness. */
  function pale(colour) {
    const v = parseInt(colour.slice(1), 16);
    return 0.299 * (v >> 16) + 0.587 * (v >> 8 & 255) + 0.114 * (v & 255) > 204;
  }

  // ---- the bar ------------------------------------------------------------------------------------------------

  class TimeBar {
    constructor(page) {
      this.page = page;
      this.text = page.text.time;
      this.days = [];
      this.build();
      this.panel = new TimePanel(this);
    }

    build() {
      const { text } = this, button = (label, title, onclick) => el('button', { title, 'aria-label': title, onclick }, label);
      this.range = el('input', { type: 'range', min: 0, step: 1, 'aria-label': text.label, oninput: () => this.dragged() });
      this.ticks = el('div', { class: 'ticks', 'aria-hidden': 'true' });
      this.back = button('◀', text.back, () => this.step(-1));
      this.forth = button('▶', text.forth, () => this.step(1));
      this.shown = el('b', { class: 'day' });
      this.now = button(text.now, text.now_hint, () => this.go(''));
      this.toggle = el('button', { class: 'compare', title: text.compare_hint, onclick: () => this.compare(!this.wish.since) }, text.compare);
      this.base = el('select', { 'aria-label': text.base, title: text.base, onchange: () => this.ask({ ...this.wish, since: this.base.value }) });
      this.list = el('button', { class: 'list', onclick: () => this.panel.open('changes') });
      this.charts = el('button', { class: 'charts', title: text.trend_hint, onclick: () => this.panel.open('trend') }, text.trend);
      this.note = el('p', { class: 'time-note', role: 'status', hidden: true });
      this.node = el('div', { class: 'time', role: 'group', 'aria-label': text.label, hidden: true },
        this.note, this.back, el('div', { class: 'rail' }, this.ticks, this.range), this.forth, this.shown, this.now, this.toggle, this.base, this.list, this.charts);
      this.page.root.querySelector('.dock .tabs').append(this.node);
    }

    // ---- what is asked for --------------------------------------------------------------------------------

    /** What this visitor has asked for last, else what is shown. */
    get wish() {
      const { asOf, since } = this.asked || { asOf: this.page.state ? this.page.state.as_of : '', since: this.page.state ? this.page.state.since : '' };
      return { asOf: asOf || '', since: since || '' };
    }

    get last() { return this.days[this.days.length - 1]; }

    /** Ask for a day, "" for the present, and for one to compare it with, "" for none; what comes of it is the next state. */
    ask({ asOf, since }) {
      const asked = this.asked = { asOf: asOf >= this.last ? '' : asOf, since, at: Date.now() };
      clearTimeout(this.later);
      this.later = setTimeout(() => this.page.post('time', { as_of: asked.asOf, since: asked.since }), WAIT_MS);
      this.paint();
    }

    /** Another day; a comparison goes along, with the day before where it was with that. */
    go(day) {
      const { asOf, since } = this.wish, follows = !since || since === this.before(asOf);
      this.comparing = this.comparing || Boolean(since);
      const base = follows || since >= (day || this.last) ? this.before(day) : since;
      this.ask({ asOf: day, since: this.comparing ? base : '' });
    }

    dragged() { this.go(named(number(this.days[0]) + Number(this.range.value))); }

    /** The next day with statements, or the one before; false if there is no bar. */
    step(by) {
      if (this.days.length < 2) return false;
      const day = this.wish.asOf || this.last, earlier = this.days.filter(one => one < day), later = this.days.filter(one => one > day);
      const next = by < 0 ? earlier[earlier.length - 1] : later[0];
      if (next) this.go(next);
      return true;
    }

    /** The day with statements before the one that a day shows, or "". */
    before(day) {
      const known = this.days.filter(one => one <= (day || this.last));
      return known[known.length - 2] || '';
    }

    compare(on) {
      this.comparing = on;
      this.ask({ asOf: this.wish.asOf, since: on ? this.before(this.wish.asOf) : '' });
      if (on) this.panel.open('changes', true); else if (this.panel.mode === 'changes') this.panel.close();
    }

    // ---- what is shown ------------------------------------------------------------------------------------

    /** The codes before, of the state that is on its way; the same address is fetched once. */
    async fetch(state) {
      const address = state.since ? `${state.data}changed.bin?since=${state.since}` : '';
      if (!address) return null;
      if (this.held && this.held.address === address) return this.held.codes;
      const codes = new Uint8Array(await data.buffer(address));
      this.held = { address, codes };
      return codes;
    }

    /** A state is shown now, with its codes before. */
    arrive(state, codes) {
      this.page.layer.setChanged(codes);
      if (this.asked && ((this.asked.asOf === state.as_of && this.asked.since === state.since) || Date.now() - this.asked.at > ANSWER_MS)) this.asked = null;
      this.comparing = Boolean(state.since) || (this.comparing && !this.before(state.as_of));
      this.loadDays(state);
    }

    async loadDays(state) {
      if (!state.present || this.daysOf === state.present) return;
      this.daysOf = state.present;
      try {
        const { days } = await data.json(state.present + 'days.json');
        if (this.daysOf !== state.present) return;
        this.days = days;
      } catch { this.daysOf = ''; return; }
      this.paintRail();
      this.update();
    }

    paintRail() {
      const first = number(this.days[0] || '1970-01-01'), span = Math.max(1, number(this.last || '1970-01-01') - first);
      this.range.max = span;
      this.ticks.replaceChildren(...this.days.map(day => { const tick = el('i', { title: day }); tick.style.left = `${(number(day) - first) / span * 100}%`; return tick; }));
    }

    update() {
      this.paint();
      this.panel.update();
    }

    paint() {
      const had = this.node.contains(document.activeElement);
      this.paintBar();
      // What has just been pressed may be gone now, or have nothing more to do: its neighbour takes the focus.
      const here = document.activeElement;
      if (had && !this.node.hidden && (!this.node.contains(here) || here.disabled || !here.getClientRects().length)) this.range.focus({ preventScroll: true });
    }

    paintBar() {
      const { text, page, days } = this, { state } = page, { asOf, since } = this.wish;
      this.node.hidden = days.length < 2;
      page.root.classList.toggle('time-past', Boolean(state && state.as_of) && !state.editable);
      if (!state || days.length < 2) return;
      const day = asOf || this.last, changed = page.layer.data ? page.layer.changedRows().length : 0;
      this.range.value = number(day) - number(days[0]);
      this.range.setAttribute('aria-valuetext', day);
      this.shown.textContent = day;
      this.now.hidden = !asOf;
      this.back.disabled = day <= days[0];
      this.forth.disabled = day >= this.last;
      this.toggle.setAttribute('aria-pressed', String(Boolean(since)));
      this.toggle.disabled = !since && !this.before(asOf);
      this.toggle.textContent = since ? text.compared : text.compare;
      this.base.hidden = this.list.hidden = !since;
      const bases = days.filter(one => one < day);
      if (since && !bases.includes(since)) bases.push(since);
      this.base.replaceChildren(...bases.map(one => el('option', { value: one }, one)));
      this.base.value = since;
      this.list.textContent = fill(text.changes, { n: changed });
      this.note.hidden = !state.as_of || state.editable;
      this.note.replaceChildren(fill(text.past, { date: state.as_of }), ' ', el('button', { class: 'small', onclick: () => this.go('') }, text.back_to_now));
    }

    /** What came to a category and left it, on the map, as an element for a legend; null if nothing is compared. */
    deltas() {
      const counts = this.page.layer.changedCounts();
      return counts && { left: code => counts[code][1], said: code => el('i', { class: 'delta' }, signs(counts[code])) };
    }

    /** The line of a legend that says what a ring is; "" if nothing is compared. */
    legendLine() {
      if (!this.page.state || !this.page.state.since) return '';
      const rows = this.page.layer.changedRows().filter(row => this.page.layer.isLocated(row));
      return el('p', { class: 'ringed' }, el('span', { class: 'ring' }), el('span', {}, fill(this.text.ringed, { n: rows.length })));
    }
  }

  // ---- beside the map: what changed, and how it went -----------------------------------------------------------

  class TimePanel {
    constructor(bar) {
      this.bar = bar;
      this.page = bar.page;
      this.mode = '';
      const { text } = bar;
      this.head = el('h2', {});
      this.space = el('div', { class: 'space' });
      // As in the table: however long, one stop of the Tab key, and the arrows move along.
      this.lines = el('div', { class: 'lines', tabIndex: 0, role: 'listbox', 'aria-label': text.list, onscroll: () => this.paintList(), onkeydown: event => this.key(event) }, this.space);
      this.chart = el('div', { class: 'chart' });
      this.node = el('aside', { class: 'time-panel', hidden: true, tabIndex: -1, 'aria-label': text.panel },
        el('button', { class: 'close', title: this.page.text.close, 'aria-label': this.page.text.close, onclick: () => this.close() }, '×'), this.head, this.lines, this.chart);
      this.page.root.append(this.node);
    }

    open(mode, only = false) {
      if (this.mode === mode && !only) { this.close(); return; }
      this.mode = mode;
      this.node.hidden = false;
      this.update();
    }

    close() {
      this.mode = '';
      this.node.hidden = true;
      this.update();
    }

    update() {
      const { page, bar, mode } = this, { state } = page;
      if (mode === 'changes' && state && !state.since && !bar.wish.since) { this.close(); return; }
      bar.list.setAttribute('aria-expanded', String(mode === 'changes'));
      bar.charts.setAttribute('aria-expanded', String(mode === 'trend'));
      this.lines.hidden = mode !== 'changes';
      this.chart.hidden = mode !== 'trend';
      if (mode === 'changes') this.showChanges();
      if (mode === 'trend') this.showTrend();
    }

    showChanges() {
      const { page, bar } = this;
      this.rows = page.layer.changedRows();
      this.head.textContent = fill(bar.text.changes_since, { n: this.rows.length, date: page.state.since || bar.wish.since });
      this.space.style.height = this.rows.length * LINE_PX + 'px';
      this.paintList();
    }

    /** Only the lines in sight are elements. */
    paintList() {
      if (this.mode !== 'changes' || !this.rows) return;
      for (const old of this.lines.querySelectorAll('.line,.none')) old.remove();
      if (!this.rows.length) this.lines.append(el('p', { class: 'none', role: 'option', 'aria-disabled': 'true' }, this.bar.text.none));
      const first = Math.floor(this.lines.scrollTop / LINE_PX), count = Math.ceil(this.lines.clientHeight / LINE_PX) + 1;
      for (let i = first; i < Math.min(first + count, this.rows.length); i++) this.lines.append(this.line(i));
      const active = this.lines.querySelector('.chosen');
      if (active) this.lines.setAttribute('aria-activedescendant', active.id); else this.lines.removeAttribute('aria-activedescendant');
    }

    key(event) {
      const { page, rows } = this, now = rows.indexOf(page.layer.selected), last = rows.length - 1;
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -last, End: last }[event.key];
      if (last < 0 || (step === undefined && event.key !== 'Enter')) return;
      event.preventDefault();
      if (event.key === 'Enter') { if (now >= 0) page.detail.node.focus({ preventScroll: true }); return; }
      const next = Math.max(0, Math.min(last, now < 0 ? (event.key === 'End' ? last : 0) : now + step));
      page.choose(rows[next], { zoom: true });
      this.reveal(next);
    }

    reveal(i) {
      const { lines } = this, top = i * LINE_PX;
      if (top < lines.scrollTop) lines.scrollTop = top;
      else if (top + LINE_PX > lines.scrollTop + lines.clientHeight) lines.scrollTop = top + LINE_PX - lines.clientHeight;
      this.paintList();
    }

    line(i) {
      const { page, bar } = this, row = this.rows[i], w = page.words.peek(row), before = page.layer.codeBefore(row), style = page.styles[page.layer.data.code[row]];
      const was = before < 0 ? el('em', {}, bar.text.appeared) : el('span', {}, page.styles[before].label);
      const chosen = row === page.layer.selected;
      const node = el('div', { class: 'line' + (chosen ? ' chosen' : ''), role: 'option', id: `baita-change-${row}`, 'aria-selected': String(chosen), 'aria-setsize': this.rows.length, 'aria-posinset': i + 1, onclick: () => page.choose(row, { zoom: true }) },
        el('b', {}, w ? w.name : '…'), el('small', {}, before < 0 ? '' : page.symbol(page.styles[before]), was, ' → ', page.symbol(style), el('span', {}, style.label),
          page.layer.isLocated(row) ? '' : el('em', {}, bar.text.waiting)));
      node.style.top = i * LINE_PX + 'px';
      return node;
    }

    // ---- charts -------------------------------------------------------------------------------------------

    async showTrend() {
      const { page, bar } = this, { state } = page, address = `${state.present}trend.json?${state.selection}`;
      this.head.textContent = bar.text.trend_title;
      if (this.trendOf !== address) {
        this.trendOf = address;
        try { this.trend = await data.json(address); } catch { this.trendOf = ''; page.say(page.text.data_failed); return; }
        if (this.trendOf !== address) return;
      }
      if (this.mode === 'trend' && this.trend) this.paintTrend();
    }

    paintTrend() {
      const { page, bar, trend } = this, day = bar.wish.asOf || bar.last;
      const groups = page.kinds.map(kind => {
        const used = kind.statuses.filter(status => trend.counts[status.code].some(Boolean));
        if (!used.length) return '';
        return el('section', {}, el('h3', {}, kind.label), ...used.map(status => this.row(status, trend.counts[status.code], day)));
      });
      this.chart.replaceChildren(el('p', { class: 'hint' }, fill(bar.text.trend_range, { first: trend.days[0], last: trend.days[trend.days.length - 1] })), ...groups.filter(Boolean), this.table(day));
    }

    row(status, counts, day) {
      const { trend, page } = this, at = trend.days.filter(one => one <= day).length - 1;
      const first = counts[0], now = at < 0 ? 0 : counts[at], said = fill(this.bar.text.trend_said, { status: status.label, first, now });
      return el('div', { class: 'trend-row' }, page.symbol(status), el('span', {}, status.label), this.svg(status, counts, day, said), el('b', {}, String(now)));
    }

    /** Steps from nought to its own most, because what was stated holds until the next word; a click goes to the nearest day. */
    svg(status, counts, day, said) {
      const { width, height, edge } = CHART, { days } = this.trend, make = (tag, values) => { const node = document.createElementNS('http://www.w3.org/2000/svg', tag); for (const [name, value] of Object.entries(values)) node.setAttribute(name, value); return node; };
      // The last word holds too: it has a step of its own.
      const from = number(days[0]), top = Math.max(...counts), span = Math.max(1, (number(days[days.length - 1]) - from) * LAST_STEP), end = width - edge;
      const x = one => edge + (number(one) - from) / span * (width - 2 * edge), y = count => height - edge - count / Math.max(1, top) * (height - 2 * edge);
      const line = days.map((one, i) => (i ? `H${x(one)}V${y(counts[i])}` : `M${x(one)},${y(counts[0])}`)).join('') + `H${end}`;
      const svg = make('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': said });
      const ink = pale(status.fill) ? '#4a3a63' : status.fill; // as its symbol's edge
      svg.append(make('path', { d: `${line}V${height - edge}H${x(days[0])}Z`, fill: status.fill, 'fill-opacity': 0.14 }), make('line', { x1: edge, x2: width - edge, y1: height - edge, y2: height - edge, stroke: '#c5ccd6' }),
        make('path', { d: line, fill: 'none', stroke: ink, 'stroke-width': 2, 'stroke-dasharray': status.dashed ? '4 3' : 'none' }));
      if (days.length <= 30) for (const [i, one] of days.entries()) svg.append(make('circle', { cx: x(one), cy: y(counts[i]), r: 2.4, fill: ink }));
      const shown = Math.min(Math.max(x(day), edge), end);
      svg.append(make('line', { x1: shown, x2: shown, y1: 0, y2: height, stroke: '#1f2328', 'stroke-dasharray': '2 2' }));
      svg.addEventListener('click', event => {
        const box = svg.getBoundingClientRect(), at = (event.clientX - box.left) / box.width * width;
        this.bar.go(days.reduce((best, one) => (Math.abs(x(one) - at) < Math.abs(x(best) - at) ? one : best)));
      });
      return svg;
    }

    /** The same numbers for those who do not see the charts, and for copying. */
    table(day) {
      const { page, bar, trend } = this, used = page.styles.filter(style => trend.counts[style.code].some(Boolean));
      const head = el('tr', {}, el('th', { scope: 'col' }, bar.text.day), ...used.map(style => el('th', { scope: 'col', title: style.kindLabel }, style.label)));
      const rows = trend.days.map((one, i) => el('tr', { class: one === day ? 'shown' : '' }, el('th', { scope: 'row' }, one), ...used.map(style => el('td', {}, String(trend.counts[style.code][i])))));
      const open = this.tableOpen === true;
      return el('details', { open, ontoggle: event => { this.tableOpen = event.target.open; } }, el('summary', {}, bar.text.as_table), el('div', { class: 'wide', role: 'region', tabIndex: 0, 'aria-label': bar.text.as_table }, el('table', {}, el('thead', {}, head), el('tbody', {}, ...rows))));
    }
  }

  window.BaitaTime = { TimeBar };
})();
