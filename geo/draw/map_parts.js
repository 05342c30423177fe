/* The parts around the map: detail panel, table and tray, placing a site, presentation furniture, messages.
 *
 * Every word of a site reaches the page through textContent (see `el`): whatever it contains, it stays text.
 */
(function () {
  'use strict';

  const CHUNK_ROWS = 1024; // as in geo/draw/site_layer.py
  const MAX_PICKS = 5000;  // as in geo/ui/actions/editing.py
  const ROW_PX = 30;       // height of a table row, as in map_page.css

  /** Make an element. Children that are strings become text nodes; properties are set as properties. */
  function el(tag, properties, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (name === 'class') node.className = value;
      else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
      else if (/^(aria-|data-|role$)/.test(name)) { if (value !== null) node.setAttribute(name, value); }
      else node[name] = value;
    }
    node.append(...children.filter(child => child !== null && child !== undefined && child !== ''));
    return node;
  }

  /** Fill {name} places of one of our own texts. */
  function fill(text, values) {
    return text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all));
  }

  /** The language of the page, as the server names it. */
  const language = () => (document.documentElement.lang.startsWith('zh') ? 'zh' : 'en');

  /** Our word for a name that data brings; the name itself if it is none of ours, be it `constructor`. */
  function named(words, name) {
    return Object.hasOwn(words, name) ? words[name] : name;
  }

  /** The words of sites, fetched in chunks of rows when they are first needed. */
  class Attributes {
    constructor(base, onArrival) {
      this.base = base;
      this.onArrival = onArrival;
      this.chunks = new Map();
      this.waiting = new Map();
    }

    /** The row's words if they are here, else null; they will be soon, and `onArrival` tells. */
    peek(row) {
      const chunk = Math.floor(row / CHUNK_ROWS), rows = this.chunks.get(chunk);
      if (rows) return rows[row % CHUNK_ROWS];
      this.load(chunk);
      return null;
    }

    async get(row) {
      await this.load(Math.floor(row / CHUNK_ROWS));
      return this.peek(row);
    }

    load(chunk) {
      if (this.chunks.has(chunk)) return Promise.resolve();
      if (!this.waiting.has(chunk)) {
        this.waiting.set(chunk, data.json(`${this.base}words/${chunk}.json`).then(rows => {
          this.chunks.set(chunk, rows.map(r => ({ id: r[0], name: r[1], asOf: r[2], street: r[3], place: r[4], precision: r[5], reason: r[6], metres: r[7] })));
          this.waiting.delete(chunk);
          this.onArrival();
        }, () => { setTimeout(() => this.waiting.delete(chunk), 2000); }));
      }
      return this.waiting.get(chunk);
    }
  }

  /** Where the page's data comes from: this server, or in a hand-out the page itself (see handout.js). */
  const data = window.BaitaData || {
    async json(url, options) { return (await answer(url, options)).json(); },
    async buffer(url) { return (await answer(url)).arrayBuffer(); },
  };

  async function answer(url, options) {
    const reply = await fetch(url, options);
    if (reply.ok) return reply;
    const { error } = await reply.json().catch(() => ({}));
    throw Object.assign(new Error(`${reply.status}`), { status: reply.status, said: error || '' });
  }

  /** What is known of one site, beside the map. */
  class DetailPanel {
    constructor(page) {
      this.page = page;
      this.node = el('aside', { class: 'detail', hidden: true, tabIndex: -1, 'aria-label': page.text.access.detail });
      page.root.append(this.node);
    }

    async show(row, words) {
      const { text } = this.page;
      this.row = row;
      if (this.editing && this.editing.site.site_id === words.id) return; // what is being typed stays, whatever arrives
      this.editing = null;
      let site;
      try {
        site = await data.json(`${this.page.siteBase}${encodeURIComponent(words.id)}.json`);
      } catch {
        this.page.say(text.detail_failed);
        return;
      }
      if (this.row !== row) return;
      const style = this.page.styles[site.code], same = this.site && this.site.site_id === site.site_id && !this.node.hidden;
      const before = same && this.node.querySelector('.history'), back = same ? whereFocusIs(this.node) : () => {};
      this.node.replaceChildren(
        el('button', { class: 'close', title: text.close, 'aria-label': text.close, onclick: () => this.page.choose(-1) }, '×'),
        el('h2', {}, this.page.symbol(style), el('span', {}, site.name)),
        el('p', { class: 'status' }, el('b', {}, style.label), ' · ', style.kindLabel, site.as_of ? ' · ' + fill(text.as_of, { date: site.as_of }) : ''),
        this.notices(site, row),
        this.facts(site),
        this.history(site),
        el('div', { class: 'actions' },
          this.page.layer.isLocated(row) ? el('button', { onclick: () => this.page.zoomTo(row) }, text.zoom_to) : '',
          this.page.canEdit ? el('button', { onclick: () => this.page.placer.start(row, site) }, this.page.layer.isLocated(row) ? text.move : text.place) : '',
          this.page.canEdit ? el('button', { title: text.edit_hint, onclick: () => this.edit(site, style) }, text.edit) : ''));
      if (before && before.open) this.node.querySelector('.history').open = true;
      this.node.hidden = false;
      this.site = site;
      back();
    }

    /** Change what is known of the site. What somebody else has changed meanwhile is shown, never overwritten unseen. */
    edit(site, style, mine = null) {
      const { text, kinds } = this.page, kind = kinds.find(one => one.statuses.includes(style)), values = mine || { status: style.key.split('.')[1], as_of: site.as_of, note: site.note, place: site.place, street: site.street };
      const input = (name, type) => el('label', {}, el('span', {}, text.fields[name]), el('input', { type, value: values[name], maxLength: name === 'note' ? 2000 : 200, oninput: event => { values[name] = event.target.value; } }));
      const status = el('select', { onchange: event => { values.status = event.target.value; } }, ...kind.statuses.map(one => el('option', { value: one.key.split('.')[1] }, one.label)));
      status.value = values.status;
      const form = el('form', { class: 'edit', onsubmit: event => { event.preventDefault(); event.target.querySelector('.main').disabled = true; this.page.post('edit', { site_id: site.site_id, version: site.version, values }); } },
        el('label', {}, el('span', {}, text.status_word), status), input('as_of', 'date'), input('place', 'text'), input('street', 'text'), input('note', 'text'), el('p', { class: 'hint' }, text.edit_day_hint),
        el('div', { class: 'actions' }, el('button', { class: 'main' }, text.save), el('button', { type: 'button', onclick: () => this.cancel() }, text.cancel)));
      (this.node.querySelector('form.edit') || this.node.querySelector('.actions')).replaceWith(form);
      status.focus();
      this.editing = { site, style, values };
    }

    /** The server has said something: what is still being typed may be sent. */
    answered() {
      const save = this.node.querySelector('form.edit .main');
      if (save) save.disabled = false;
    }

    /** Leave what is being typed. */
    async cancel() {
      this.editing = null;
      await this.show(this.row, { id: this.site.site_id });
      this.node.focus({ preventScroll: true });
    }

    /** Somebody else was quicker: their values beside mine, and mine to be sent again or dropped. */
    async conflict() {
      const { editing } = this, { text, styles } = this.page;
      if (!editing) return;
      const now = await data.json(`${this.page.siteBase}${encodeURIComponent(editing.site.site_id)}.json`), style = styles[now.code];
      this.edit(now, style, editing.values);
      const theirs = { status: style.label, as_of: now.as_of, note: now.note, place: now.place, street: now.street }, last = now.history[0] || {};
      const rows = Object.entries(theirs).filter(([name]) => (name === 'status' ? style.key.split('.')[1] : now[name]) !== editing.values[name]);
      this.node.querySelector('form.edit').prepend(el('div', { class: 'conflict', role: 'alert' }, el('p', {}, fill(text.conflict, { who: last.who || '?', at: last.at || '' })),
        el('dl', {}, ...rows.flatMap(([name, value]) => [el('dt', {}, name === 'status' ? text.status_word : text.fields[name]), el('dd', {}, value || '—')]))));
    }

    notices(site, row) {
      const { text, layer } = this.page, lines = [];
      if (site.fictitious) lines.push(text.fictitious);
      if (!layer.isShown(row)) lines.push(text.hidden_by_filter);
      if (site.reason) lines.push(named(text.reasons, site.reason));
      return el('div', { class: 'notices' }, ...lines.map(line => el('p', {}, line)));
    }

    facts(site) {
      const { text } = this.page, located = site.precision !== 'none';
      const metres = site.uncertainty_m === null ? '' : ' ' + fill(text.plus_minus, { m: Math.round(site.uncertainty_m) });
      const source = [site.source.file, site.source.where].filter(Boolean).join(' · ');
      const rows = [
        [text.precision, located ? named(text.precisions, site.precision) + metres : ''],
        [text.place_hint, site.place],
        [text.street, site.street],
        [text.coordinates, site.point ? `${site.point[0].toFixed(5)}, ${site.point[1].toFixed(5)} (WGS84)` : ''],
        [text.raw, site.raw ? `${site.raw[0]}, ${site.raw[1]} (${site.raw[2]})` : ''],
        [text.method, located ? named(text.methods, site.match_method) : ''],
        [text.source, source],
        [text.quote, site.source.quote],
        [text.note, site.note],
      ];
      return el('dl', {}, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
    }

    /** Every change, newest first: when, by whom, on whose word, and each field from what to what. */
    history(site) {
      const { text } = this.page, versions = [];
      if (!site.history.length) return '';
      for (const change of site.history) {
        const last = versions[versions.length - 1];
        if (last && last[0].version === change.version) last.push(change); else versions.push([change]);
      }
      return el('details', { class: 'history' }, el('summary', {}, fill(text.history, { n: versions.length })), el('ol', {}, ...versions.map(changes => this.version(changes, site))));
    }

    version(changes, site) {
      const { text } = this.page, [first] = changes, created = changes.find(change => change.field === 'created');
      const who = first.who || (first.source === 'outside' ? text.outside : '—'), source = first.source === 'outside' ? '' : named(text.sources, first.source);
      const lines = changes.filter(change => text.history_fields[change.field]).map(change => el('li', {}, el('span', {}, text.history_fields[change.field]), ' ',
        ...(change.field === 'geometry' ? [] : [el('del', {}, this.said(change.field, change.old, site) || '—'), ' → ', el('ins', {}, this.said(change.field, change.new, site) || '—')])));
      return el('li', {}, el('time', {}, first.at), ' ', el('b', {}, who), created ? ' ' + text.created : '', source ? el('small', {}, ` · ${source}`) : '', lines.length ? el('ul', {}, ...lines) : '');
    }

    /** A cell of the history in words. */
    said(field, value, site) {
      const { text, kinds, styles } = this.page, kind = kinds.find(one => one.statuses.includes(styles[site.code]));
      if (field === 'status') return (kind.statuses.find(one => one.key.split('.')[1] === value) || { label: value }).label;
      if (field === 'precision') return named(text.precisions, value);
      if (field === 'match_method') return named(text.methods, value);
      if (field === 'reason') return named(text.reasons, value);
      return field === 'uncertainty_m' && value ? fill(text.plus_minus, { m: Math.round(Number(value)) }) : value;
    }

    hide() {
      this.row = -1;
      this.editing = null;
      this.node.hidden = true;
    }
  }

  /** Two lists of the same selection: what is on the map, and what waits. Only the rows in sight are elements. */
  class SiteTable {
    constructor(page) {
      this.page = page;
      this.tab = '';
      this.order = { column: '', descending: false, rows: null };
      this.picked = new Set();
      const { text } = page;
      this.tabs = {
        table: el('button', { class: 'tab', 'aria-expanded': 'false', title: text.table_key, onclick: () => this.toggle('table') }),
        tray: el('button', { class: 'tab', 'aria-expanded': 'false', title: text.tray_key, onclick: () => this.toggle('tray') }),
      };
      this.head = el('div', { class: 'row head', role: 'row', 'aria-rowindex': 1 });
      this.space = el('div', { class: 'space', role: 'presentation' });
      this.body = el('div', { class: 'body', role: 'rowgroup', tabIndex: 0, onscroll: () => this.paint() }, this.space);
      // The arrows move along the rows, so the list is one stop of the Tab key however long it is.
      this.grid = el('div', { class: 'grid', tabIndex: 0, role: 'grid', 'aria-multiselectable': 'true', 'aria-describedby': 'baita-grid-keys' }, el('div', { role: 'rowgroup' }, this.head), this.body);
      this.drawer = el('section', { class: 'drawer', hidden: true, 'aria-label': page.text.access.lists }, this.grid, el('p', { class: 'unseen', id: 'baita-grid-keys' }, page.text.access.grid_keys));
      this.queue = el('button', { class: 'queue', hidden: true, title: text.queue_hint, onclick: () => page.placer.startQueue() }, text.queue);
      this.picks = el('span', { class: 'picks', hidden: true });
      page.root.append(el('div', { class: 'dock', role: 'region', 'aria-label': page.text.access.dock }, el('div', { class: 'tabs' }, this.tabs.table, this.tabs.tray, this.queue, this.picks), this.drawer));
      this.many = new ManyPanel(page, this);
      new ResizeObserver(() => this.paint()).observe(this.body);
    }

    toggle(tab) {
      this.tab = this.tab === tab ? '' : tab;
      this.drawer.hidden = !this.tab;
      this.page.root.classList.toggle('drawer-open', Boolean(this.tab));
      for (const [name, button] of Object.entries(this.tabs)) button.setAttribute('aria-expanded', String(name === this.tab));
      this.body.scrollTop = 0;
      this.update();
      if (this.tab) this.grid.focus({ preventScroll: true });
    }

    update() {
      const { text, layer } = this.page, seen = layer.visible();
      if (!seen) return;
      this.tabs.table.textContent = fill(text.tab_table, { n: seen.located.length });
      this.tabs.tray.textContent = fill(text.tab_tray, { n: seen.waiting.length });
      this.tabs.tray.classList.toggle('none', !seen.waiting.length);
      this.queue.hidden = !this.page.canEdit || Boolean(layer.list) || this.tab !== 'tray' || !seen.waiting.length;
      if (!this.tab) return;
      this.rows = this.sorted(this.tab === 'tray' ? seen.waiting : seen.located);
      this.space.style.height = this.rows.length * ROW_PX + 'px';
      this.grid.setAttribute('aria-label', this.tabs[this.tab].textContent);
      const place = this.page.canEdit ? [['', text.place]] : [];
      const columns = this.tab === 'tray' ? [['name', text.name], ['status', text.status], ['', text.reason], ...place] : [['name', text.name], ['status', text.status], ['as_of', text.date], ['street', text.street], ['precision', text.precision]];
      this.drawer.dataset.tab = this.tab;
      const all = this.page.canEdit ? el('input', { type: 'checkbox', class: 'pick', title: text.pick_all, 'aria-label': text.pick_all, onchange: event => this.pickAll(event.target.checked) }) : '';
      this.allBox = all;
      const focused = document.activeElement.closest('.row.head') ? document.activeElement.dataset.column : null;
      this.head.replaceChildren(all ? el('span', { class: 'box', role: 'columnheader' }, all) : '', ...columns.map(([column, label]) => el('span', { class: 'cell', role: 'columnheader', 'aria-sort': !column ? null : this.order.column !== column ? 'none' : this.order.descending ? 'descending' : 'ascending' },
        column ? el('button', { 'data-column': column, onclick: () => this.sort(column) }, label) : label)));
      if (focused) this.head.querySelector(`[data-column="${focused}"]`)?.focus();
      this.grid.setAttribute('aria-rowcount', this.rows.length + 1);
      this.grid.setAttribute('aria-colcount', this.head.children.length);
      this.paint();
    }

    sorted(rows) {
      const { rows: order, descending } = this.order, { layer } = this.page;
      if (layer.list) return layer.list(this.tab, this.order);
      if (!order) return rows;
      const wanted = new Uint8Array(order.length);
      for (const row of rows) wanted[row] = 1;
      const sorted = order.filter(row => wanted[row]);
      return descending ? sorted.reverse() : sorted;
    }

    async sort(column) {
      if (this.order.column === column) {
        this.order.descending = !this.order.descending;
      } else {
        let order;
        if (this.page.layer.list) this.order = { column, descending: false, rows: null };
        else try { order = await data.buffer(`${this.page.dataBase}order/${column}.bin`); } catch { this.page.say(this.page.text.data_failed); return; }
        if (order) this.order = { column, descending: false, rows: new Uint32Array(order) };
      }
      this.update();
    }

    /** A new version of the data is in another order, and where sites came or went a row is another site. */
    forgetOrder(sameSites) {
      this.order = { column: '', descending: false, rows: null };
      if (!sameSites && this.picked.size) { this.page.say(this.page.text.picks_gone); this.unpick(); }
    }

    // ---- many at once --------------------------------------------------------------------------------------

    pick(i, { shiftKey }, on) {
      const from = shiftKey && this.lastPick >= 0 ? Math.min(this.lastPick, i) : i, to = shiftKey && this.lastPick >= 0 ? Math.max(this.lastPick, i) : i;
      for (let k = from; k <= to; k++) if (this.rows[k] === undefined) continue; else if (on) this.picked.add(this.rows[k]); else this.picked.delete(this.rows[k]);
      this.lastPick = i;
      this.showPicks();
      this.paint();
    }

    pickAll(on) {
      this.picked = new Set(on ? this.rows.subarray ? this.rows.subarray(0, MAX_PICKS) : this.rows.slice(0, MAX_PICKS).filter(row => row !== undefined) : []);
      if (on && this.rows.length > MAX_PICKS) this.page.say(fill(this.page.text.picks_limit, { n: MAX_PICKS }));
      this.showPicks();
      this.paint();
    }

    unpick() {
      const had = this.picks.contains(document.activeElement);
      this.picked.clear();
      this.lastPick = -1;
      this.showPicks();
      if (had && this.tab) this.grid.focus({ preventScroll: true }); // the button is gone
      this.paint();
    }

    /** The server has changed them. */
    edited() {
      this.many.close();
      this.unpick();
    }

    showPicks() {
      const { text } = this.page, n = this.picked.size;
      this.picks.hidden = !n || !this.page.canEdit;
      if (this.allBox) { this.allBox.checked = n > 0 && this.rows && n >= this.rows.length; this.allBox.indeterminate = n > 0 && !this.allBox.checked; }
      if (!n) this.many.close();
      this.picks.replaceChildren(el('span', {}, fill(text.picked, { n })), el('button', { class: 'main', onclick: () => this.many.open() }, text.edit_picked), el('button', { class: 'quiet', onclick: () => this.unpick() }, text.unpick));
      this.many.update();
    }

    paint() {
      if (!this.tab || !this.rows) return;
      for (const old of this.body.querySelectorAll('.row')) old.remove();
      const first = Math.floor(this.body.scrollTop / ROW_PX), count = Math.ceil(this.body.clientHeight / ROW_PX) + 1;
      for (let i = first; i < Math.min(first + count, this.rows.length); i++) this.body.append(this.line(i));
      if (!this.rows.length) this.body.append(el('div', { class: 'row empty', role: 'row' }, el('span', { role: 'gridcell' }, this.tab === 'tray' ? this.page.text.tray_empty : this.page.text.table_empty)));
      const active = this.body.querySelector('.chosen');
      if (active) this.grid.setAttribute('aria-activedescendant', active.id); else this.grid.removeAttribute('aria-activedescendant');
    }

    line(i) {
      const { text, layer, styles, words } = this.page, row = this.rows[i];
      if (row === undefined) { // of millions, a page at a time
        layer.want(i);
        const waiting = el('div', { class: 'row', role: 'row' }, '…');
        waiting.style.top = i * ROW_PX + 'px';
        return waiting;
      }
      const w = words.peek(row), style = styles[layer.data.code[row]];
      const node = el('div', { class: 'row' + (row === layer.selected ? ' chosen' : ''), role: 'row', id: `baita-row-${row}`, 'aria-rowindex': i + 2, 'aria-selected': String(this.picked.has(row) || row === layer.selected), onclick: () => this.page.choose(row, { zoom: true }) });
      node.style.top = i * ROW_PX + 'px';
      const cell = (...children) => el('span', { class: 'cell', role: 'gridcell' }, ...children);
      if (this.page.canEdit) {
        const box = el('input', { type: 'checkbox', class: 'pick', tabIndex: -1, checked: this.picked.has(row), 'aria-label': w ? fill(text.pick, { name: w.name }) : '', onclick: event => { event.stopPropagation(); this.pick(i, event, event.target.checked); } });
        node.append(el('span', { class: 'box', role: 'gridcell' }, box));
      }
      node.append(cell(this.page.symbol(style), w ? w.name : '…'), cell(`${style.kindLabel} · ${style.label}`));
      if (this.tab === 'tray') {
        node.append(cell(w ? named(text.reasons, w.reason) : ''));
        const place = event => { event.stopPropagation(); this.page.choose(row).then(() => this.page.placer.start(row, { name: w.name, site_id: w.id })); };
        if (this.page.canEdit) node.append(cell(w ? el('button', { class: 'small', tabIndex: -1, onclick: place }, text.place) : ''));
      } else {
        const metres = w && w.metres !== null ? ' ' + fill(text.plus_minus, { m: w.metres }) : '';
        node.append(cell(w ? w.asOf : ''), cell(w ? w.street : ''), cell(w ? named(text.precisions, w.precision) + metres : ''));
      }
      return node;
    }

    /** Keys in the list. Returns whether the key meant something. */
    key(event) {
      if (!this.rows || !this.rows.length || ![this.grid, this.body].includes(event.target)) return false;
      const now = this.rows.indexOf(this.page.layer.selected), last = this.rows.length - 1;
      if (event.key === 'Enter') return this.enter(now);
      if (event.key === ' ') { if (now >= 0 && this.page.canEdit) this.pick(now, event, !this.picked.has(this.rows[now])); return true; }
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -last, End: last }[event.key];
      if (step === undefined) return false;
      const next = Math.max(0, Math.min(last, now < 0 ? (event.key === 'End' ? last : 0) : now + step));
      if (event.shiftKey && now >= 0 && this.page.canEdit) { this.pick(now, {}, true); this.pick(next, event, true); }
      this.page.choose(this.rows[next], { zoom: true });
      this.reveal(next);
      return true;
    }

    /** From a row to what is known of it. */
    enter(now) {
      if (now < 0) return true;
      if (this.page.detail.node.hidden) this.page.choose(this.rows[now], { zoom: true }).then(() => this.page.detail.node.focus({ preventScroll: true }));
      else this.page.detail.node.focus({ preventScroll: true });
      return true;
    }

    /** Scroll so that a row chosen on the map can be seen. */
    follow(row) {
      if (!this.tab || !this.rows) return;
      const i = this.rows.indexOf(row);
      if (i >= 0) this.reveal(i);
      this.paint();
    }

    reveal(i) {
      const top = i * ROW_PX, body = this.body;
      if (top < body.scrollTop) body.scrollTop = top;
      else if (top + ROW_PX > body.scrollTop + body.clientHeight) body.scrollTop = top + ROW_PX - body.clientHeight;
      this.paint();
    }
  }

  /** The same change for all that are picked: what is left empty stays as it is. */
  class ManyPanel {
    constructor(page, table) {
      this.page = page;
      this.table = table;
      this.node = el('aside', { class: 'many', hidden: true, tabIndex: -1, 'aria-label': page.text.edit_picked });
      page.root.append(this.node);
    }

    open() {
      const { text } = this.page;
      this.values = {};
      const input = (name, type) => el('label', {}, el('span', {}, text.fields[name]), el('input', { type, maxLength: 200, placeholder: text.unchanged, oninput: event => { this.set(name, event.target.value); } }));
      this.status = el('select', { 'aria-label': text.status_word, onchange: event => this.set('status', event.target.value) });
      this.title = el('h2', {});
      this.about = el('p', { class: 'hint' });
      this.save = el('button', { class: 'main', disabled: true }, text.save);
      this.node.replaceChildren(el('button', { class: 'close', title: text.close, 'aria-label': text.close, onclick: () => this.close() }, '×'), this.title, this.about,
        el('form', { class: 'edit', onsubmit: event => { event.preventDefault(); this.send(); } }, el('label', {}, el('span', {}, text.status_word), this.status),
          input('as_of', 'date'), input('street', 'text'), input('note', 'text'), el('p', { class: 'hint' }, text.many_hint), el('div', { class: 'actions' }, this.save, el('button', { type: 'button', onclick: () => this.close() }, text.cancel))));
      this.node.hidden = false;
      this.page.choose(-1);
      this.update();
      this.status.focus();
    }

    close() {
      this.node.hidden = true;
      this.node.replaceChildren();
    }

    set(name, value) {
      if (value) this.values[name] = value; else delete this.values[name];
      this.answered();
    }

    answered() { if (!this.node.hidden) this.save.disabled = !Object.keys(this.values).length; }

    /** Which kinds are picked decides which statuses there are to give. */
    update() {
      if (this.node.hidden) return;
      const { text, kinds, layer } = this.page, codes = new Set([...this.table.picked].map(row => layer.data.code[row]));
      const picked = kinds.filter(kind => kind.statuses.some(one => codes.has(one.code))), one = picked.length === 1;
      this.title.textContent = fill(text.many_title, { n: this.table.picked.size });
      this.about.textContent = picked.map(kind => kind.label).join('、');
      const before = this.values.status || '';
      this.status.replaceChildren(el('option', { value: '' }, one ? text.unchanged : text.one_kind), ...(one ? picked[0].statuses.map(status => el('option', { value: status.key.split('.')[1] }, status.label)) : []));
      this.status.disabled = !one;
      this.status.value = before;
      if (this.status.value !== before) { this.status.value = ''; this.set('status', ''); }
    }

    send() {
      const rows = [...this.table.picked].sort((a, b) => a - b);
      this.save.disabled = true; // until the server answers
      this.page.post('edit_many', { version: this.page.state.version, rows, values: this.values });
    }
  }

  /** Presentation: what people screenshot. Title, date, legend with counts, scale, source; nothing else. */
  class Stage {
    constructor(page) {
      this.page = page;
      this.title = el('header', { class: 'stage title' });
      this.legend = el('section', { class: 'stage legend' });
      this.source = el('footer', { class: 'stage source' });
      page.root.append(this.title, this.legend, this.source);
    }

    update() {
      const { page } = this, { text, state } = page, seen = page.layer.visible();
      if (!seen || !state) return;
      this.title.replaceChildren(el('h1', {}, page.scenes && page.scenes.title || state.title), el('p', {}, state.subtitle),
        state.notice ? el('p', { class: 'notice' }, state.notice) : '');
      const deltas = page.time ? page.time.deltas() : null, hidden = new Set(state.hidden);
      const groups = page.kinds.map(kind => {
        const rows = kind.statuses.filter(s => seen.counts[s.code] > 0 || (deltas && deltas.left(s.code) && !hidden.has(s.code)));
        if (!rows.length) return '';
        return el('div', {}, el('h3', {}, kind.label), ...rows.map(s => el('p', {}, page.symbol(s), el('span', {}, s.label), el('b', {}, String(seen.counts[s.code])), deltas ? deltas.said(s.code) : '')));
      });
      const total = seen.located.length + seen.waiting.length;
      const rough = seen.located.some(row => page.layer.isApproximate(row) || page.layer.isSketch(row));
      this.legend.replaceChildren(...groups.filter(Boolean), page.time ? page.time.legendLine() : '', rough ? el('p', { class: 'rough' }, text.rough_legend) : '', el('p', { class: 'sum' }, fill(text.on_map_of, { n: seen.located.length, total })));
      this.legend.hidden = !total;
      this.source.replaceChildren(...[state.asOf, state.source, text.internal].filter(Boolean).map(part => el('span', {}, part)));
    }
  }

  /** Painting anew makes new elements: returns what gives the focus to the one in the place of that which has it. */
  function whereFocusIs(box) {
    const here = document.activeElement, card = here.closest('.card'), stops = node => [...node.querySelectorAll('a,button,input,select,textarea,summary,[tabindex]')];
    if (!box.contains(here)) return () => {};
    if (here === box) return () => box.focus({ preventScroll: true });
    const at = stops(card || box).indexOf(here), number = card && card.dataset.number;
    return () => {
      const where = number ? box.querySelector(`.card[data-number="${number}"]`) : box, node = where && stops(where)[at];
      if (node && !box.contains(document.activeElement)) node.focus({ preventScroll: true });
    };
  }

  window.BaitaParts = { el, fill, named, language, whereFocusIs, data, Attributes, DetailPanel, SiteTable, Stage };
})();
