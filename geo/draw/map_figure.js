/* Making the meeting's picture: a panel beside the map, a thin frame over it, and the kept schemes.
 *
 * The picture is drawn by the server's own renderer from the same filter; nothing here photographs the page. What the
 * panel shows is that renderer's small preview, so it is what will be in the file.
 */
(function () {
  'use strict';

  const { el, fill, data, language } = window.BaitaParts;
  const WAIT_MS = 250, POLL_MS = 250, EDGE_PX = 28, TABS_PX = 24, SCENE_MS = 1600;
  const FORMATS = { picture: ['png', 'pptx', 'pdf', 'svg'], table: ['xlsx', 'csv', 'gpkg', 'geojson'], page: ['html'] };
  const FRESH = { title: '', preset: '16:9-1080', labels: 'auto', series: '', scope: 'all', public: false };

  /** What the server says if it asks for patience (too busy, or its database is away): words for the person. */
  const later = error => ([429, 503].includes(error.status) ? error.said : '');

  /** The options of a picture, beside the map; a preview by the real renderer, and the ways to take it along. */
  class FigurePanel {
    constructor(page) {
      const text = this.text = page.text.figure;
      this.page = page;
      this.chosen = { ...FRESH };
      this.node = el('aside', { class: 'figure', hidden: true, tabIndex: -1, 'aria-label': text.open });
      this.frame = el('div', { class: 'figure-frame', hidden: true });
      this.build();
      page.root.append(this.frame, this.node);
      page.map.on('move zoom resize', () => this.placeFrame()).on('moveend', () => { this.kept = null; if (this.chosen.scope === 'view') this.refresh(); });
    }

    get open() { return !this.node.hidden; }

    build() {
      const { text } = this, change = name => event => this.set({ [name]: event.target.type === 'checkbox' ? event.target.checked : event.target.value });
      const select = (name, values) => el('select', { onchange: change(name), 'aria-label': text[name] }, ...Object.entries(values).map(([value, label]) => el('option', { value }, label)));
      const row = (label, field) => el('label', { class: 'field' }, el('span', {}, label), field);
      this.preview = el('div', { class: 'preview' });
      this.facts = el('p', { class: 'facts', role: 'status' });
      this.findings = el('div', { class: 'findings' });
      this.schemes = el('div', { class: 'schemes' });
      this.fields = {
        title: el('input', { type: 'text', maxLength: 120, oninput: change('title'), 'aria-label': text.title }),
        unit: el('input', { type: 'text', maxLength: 60, placeholder: text.unit_hint, oninput: change('unit'), 'aria-label': text.unit }),
        preset: select('preset', text.presets), scope: select('scope', text.scopes), labels: select('labels', text.label_ways),
        series: select('series', text.series_ways), public: select('public', text.uses),
      };
      this.fields.public.onchange = event => this.set({ public: event.target.value === 'yes' });
      this.progress = el('div', { class: 'progress', hidden: true }, el('progress', { max: 1 }), el('span', {}), el('button', { class: 'small', onclick: () => this.cancel() }, text.cancel));
      const button = form => el('button', { class: 'format', 'data-form': form, title: text.format_hints[form], onclick: () => this.take(form) }, text.formats[form]);
      this.node.append(
        el('button', { class: 'close', title: text.close, 'aria-label': text.close, onclick: () => this.toggle() }, '×'),
        el('h2', {}, text.open_short), this.schemes, this.preview, this.facts, this.findings,
        row(text.title, this.fields.title), row(text.preset, this.fields.preset), row(text.scope, this.fields.scope),
        row(text.labels, this.fields.labels), row(text.series, this.fields.series), row(text.unit, this.fields.unit), row(text.public, this.fields.public),
        el('footer', {}, this.progress, el('div', { class: 'formats' }, el('button', { class: 'format copy', 'data-form': 'png', title: text.copy_hint, onclick: () => this.copy() }, text.copy), ...FORMATS.picture.map(button)),
          el('div', { class: 'formats' }, ...FORMATS.table.map(button), ...FORMATS.page.map(button))));
      this.set({ unit: this.remembered() }, { quiet: true });
    }

    /** The unit is the same next week: this browser keeps it. */
    remembered() { try { return localStorage.getItem('baita:unit') || ''; } catch { return ''; } }

    toggle() {
      this.node.hidden = this.open;
      this.page.root.classList.toggle('figure-open', this.open);
      this.frame.hidden = true;
      if (this.open) {
        if (this.page.detail) this.page.detail.hide();
        this.page.scenes.load().then(() => this.listSchemes());
        this.arriving = true;
        this.refresh();
        this.node.focus({ preventScroll: true });
      } else {
        clearTimeout(this.later);
        if (this.asking) this.asking.abort();
      }
    }

    set(values, { quiet = false } = {}) {
      Object.assign(this.chosen, values);
      if ('unit' in values) try { localStorage.setItem('baita:unit', values.unit); } catch { /* private mode */ }
      const { fields, chosen } = this;
      for (const name of ['title', 'unit']) if (fields[name].value !== chosen[name]) fields[name].value = chosen[name];
      for (const name of ['preset', 'scope', 'labels', 'series']) fields[name].value = chosen[name];
      fields.public.value = chosen.public ? 'yes' : 'no';
      if (!quiet) this.refresh();
    }

    /** The picture in the words of an address: the filter, then how it is to look. */
    params() {
      const { page, chosen } = this, { state } = page, asked = new URLSearchParams(filterQuery(page));
      for (const name of ['title', 'unit', 'preset', 'labels', 'series']) if (chosen[name]) asked.set(name, chosen[name]);
      for (const name of ['as_of', 'since']) if (state[name]) asked.set(name, state[name]); // not in a scheme: next week has newer days
      if (chosen.public) asked.set('public', 'yes');
      asked.set('lang', language());
      const bounds = chosen.scope === 'view' ? this.bounds() : null;
      if (bounds) asked.set('bounds', bounds.map(v => v.toFixed(6)).join(','));
      return { path: `../export/${state.dataset}`, asked };
    }

    // ---- preview ------------------------------------------------------------------------------------------

    /** Draw the preview anew, a moment after the last change. */
    refresh() {
      if (!this.open || !this.page.state) return;
      this.fields.title.placeholder = this.page.state.title;
      clearTimeout(this.later);
      this.preview.classList.add('stale');
      this.later = setTimeout(() => this.draw(), WAIT_MS);
    }

    async draw() {
      if (this.asking) this.asking.abort();
      const asking = this.asking = new AbortController(), { path, asked } = this.params();
      let reply;
      try {
        reply = await data.json(`${path}/preview.json?${asked}`, { signal: asking.signal });
      } catch (error) {
        if (error.name === 'AbortError') return;
        reply = { error: later(error) || this.text.failed };
      }
      if (asking !== this.asking) return;
      this.show(reply);
    }

    show(reply) {
      const { text } = this;
      if (!this.open) return;
      this.preview.classList.remove('stale');
      this.preview.replaceChildren(reply.image ? el('img', { alt: reply.title, src: reply.image }) : '');
      this.facts.classList.toggle('error', Boolean(reply.error));
      this.facts.textContent = reply.error || [fill(text.on_map_of, { n: reply.on_map, total: reply.on_map + reply.missing }), reply.pages > 1 ? fill(text.pages, { n: reply.pages }) : ''].filter(Boolean).join(' · ');
      this.showFindings(reply.findings || []);
      for (const button of this.node.querySelectorAll('.format')) button.disabled = !(reply.can || []).includes(button.dataset.form);
      this.shown = reply;
      if (reply.aspect) this.aspect = reply.aspect;
      if (this.arriving && reply.bounds && this.chosen.scope === 'all') this.goTo(reply.bounds);
      this.arriving = false;
      this.placeFrame();
    }

    /** What must be mended stands open; the rest is one line until somebody asks. */
    showFindings(findings) {
      const line = finding => el('li', { class: finding.serious ? 'serious' : '' }, finding.text, this.offer(finding));
      const serious = findings.filter(one => one.serious), rest = findings.filter(one => !one.serious);
      this.findings.replaceChildren(serious.length ? el('ul', {}, ...serious.map(line)) : '',
        rest.length ? el('details', { open: this.findingsOpen, ontoggle: event => { this.findingsOpen = event.target.open; } }, el('summary', {}, fill(this.text.checked, { n: rest.length })), el('ul', {}, ...rest.map(line))) : '');
    }

    /** Bring a frame into what is left of the map beside the panel. */
    goTo([west, south, east, north]) {
      const side = this.open ? this.node.getBoundingClientRect().width : 0;
      this.page.map.fitBounds([[south, west], [north, east]], { paddingTopLeft: [EDGE_PX, EDGE_PX], paddingBottomRight: [EDGE_PX + side, EDGE_PX + TABS_PX], animate: false });
    }

    /** A button for what would mend a finding. */
    offer({ fix }) {
      const mends = {
        numbers: () => this.set({ labels: 'numbers' }), names: () => this.set({ labels: 'names' }), show_all: () => this.set({ scope: 'all' }),
        larger_sheet: () => this.set({ preset: 'a3' }), place: () => { this.toggle(); if (this.page.table.tab !== 'tray') this.page.table.toggle('tray'); },
      };
      return mends[fix] ? el('button', { class: 'small', onclick: mends[fix] }, this.text.fixes[fix]) : '';
    }

    // ---- the frame over the map ---------------------------------------------------------------------------

    /** Where the picture's map part lies on the screen: around all sites, or in the middle of what is seen. */
    box() {
      const { map } = this.page, size = map.getSize();
      const fixed = this.chosen.scope === 'all' ? this.shown && this.shown.bounds : this.kept;
      if (this.chosen.scope === 'all' && !fixed) return null;
      if (fixed) {
        const [west, south, east, north] = fixed, a = map.latLngToContainerPoint([north, west]), b = map.latLngToContainerPoint([south, east]);
        return { left: a.x, top: a.y, width: b.x - a.x, height: b.y - a.y };
      }
      const room = { x: size.x - this.node.getBoundingClientRect().width - 2 * EDGE_PX, y: size.y - 2 * EDGE_PX }, aspect = this.aspect || 1.2;
      const width = Math.max(60, Math.min(room.x, room.y * aspect)), height = width / aspect;
      return { left: EDGE_PX + (room.x - width) / 2, top: EDGE_PX + (room.y - height) / 2, width, height };
    }

    /** A scheme's own frame, to the last digit, until somebody moves the map. */
    keep(bounds) {
      this.kept = bounds;
      this.refresh();
    }

    bounds() {
      if (this.kept) return this.kept;
      const box = this.box();
      if (!box) return null;
      const { map } = this.page, a = map.containerPointToLatLng([box.left, box.top]), b = map.containerPointToLatLng([box.left + box.width, box.top + box.height]);
      return [a.lng, b.lat, b.lng, a.lat];
    }

    placeFrame() {
      const box = this.open ? this.box() : null;
      this.frame.hidden = !box;
      if (box) for (const [name, value] of Object.entries(box)) this.frame.style[name] = value + 'px';
    }

    // ---- taking it along ----------------------------------------------------------------------------------

    /** Have a file made, show how far it is, and hand it out. */
    async take(form) {
      const done = await this.make(form);
      if (done) el('a', { href: done.url, download: done.name }).click();
    }

    async make(form, over = {}) {
      if (this.job) return null;
      const { path, asked } = this.params();
      asked.set('form', form);
      for (const [name, value] of Object.entries(over)) asked.set(name, value);
      this.job = 'asked';
      this.tell(0);
      try {
        const started = await data.json(`${path}/jobs?${asked}`, { method: 'POST' });
        this.job = started.job;
        return await this.follow(started.job);
      } catch (error) {
        this.page.say(later(error) || this.text.failed);
        return null;
      } finally {
        this.job = null;
        this.progress.hidden = true;
      }
    }

    async follow(job) {
      for (;;) {
        const now = await data.json(`../job/${job}`);
        this.tell(now.share);
        if (now.state === 'done') return { url: `../job/${job}/file`, name: now.name };
        if (now.state === 'failed') this.page.say(now.error);
        if (now.state !== 'running') return null;
        await new Promise(done => setTimeout(done, POLL_MS));
      }
    }

    tell(share) {
      const [bar, words] = this.progress.children;
      this.progress.hidden = false;
      bar.value = share;
      words.textContent = fill(this.text.making, { percent: Math.round(share * 100) });
    }

    async cancel() {
      if (this.job && this.job !== 'asked') await data.json(`../job/${this.job}`, { method: 'DELETE' }).catch(() => {});
    }

    /** Browsers let a page write pictures to the clipboard only over https or on this machine itself. */
    async copy() {
      const { text, page } = this;
      if (!window.ClipboardItem || !navigator.clipboard || !navigator.clipboard.write) { page.say(text.copy_not_here); return; }
      const blob = this.make('png', { series: '', first: 'yes' }).then(async done => {
        if (!done) throw new Error('nothing was made');
        return new Blob([await data.buffer(done.url)], { type: 'image/png' });
      });
      try {
        await navigator.clipboard.write([new ClipboardItem({ 'image/png': blob })]);
        page.say(text.copied);
      } catch {
        page.say(text.copy_failed);
      }
    }

    // ---- schemes ------------------------------------------------------------------------------------------

    listSchemes() {
      const { text, page } = this, { list } = page.scenes;
      const name = el('input', { type: 'text', maxLength: 40, placeholder: text.scheme_name, 'aria-label': text.scheme_name });
      const save = el('form', { onsubmit: event => { event.preventDefault(); this.save(name.value); } }, name, el('button', { class: 'small' }, text.scheme_save));
      const item = scheme => el('li', {},
        el('button', { class: 'apply', title: text.scheme_apply, onclick: () => this.apply(scheme) }, scheme.name),
        !page.canEdit ? '' : el('button', { class: 'quiet drop', title: fill(text.scheme_drop, { name: scheme.name }), 'aria-label': fill(text.scheme_drop, { name: scheme.name }), onclick: () => this.drop(scheme) }, '×'));
      this.schemes.replaceChildren(el('details', { open: list.length > 0 }, el('summary', {}, fill(text.schemes, { n: list.length })),
        list.length ? el('ul', {}, ...list.map(item)) : el('p', {}, text.schemes_none), page.canEdit ? save : ''));
    }

    async save(name) {
      const { page, chosen } = this;
      if (!name.trim()) { page.say(this.text.scheme_needs_name); return; }
      const { title, unit, preset, labels, series } = chosen;
      const scheme = { name, query: filterQuery(page), bounds: chosen.scope === 'view' ? this.bounds() : null, title, unit, preset, labels, series, public: chosen.public };
      try { await page.scenes.keep(scheme); } catch (error) { page.say(error.said || this.text.failed); return; }
      page.say(fill(this.text.scheme_saved, { name: name.trim() }));
      this.listSchemes();
    }

    async apply(scheme) {
      const { title, unit, preset, labels, series } = scheme;
      this.set({ title, unit, preset, labels, series, public: scheme.public, scope: scheme.bounds ? 'view' : 'all' }, { quiet: true });
      this.page.scenes.show(scheme);
      this.refresh();
    }

    async drop(scheme) {
      try { await this.page.scenes.drop(scheme); } catch (error) { this.page.say(error.said || this.text.failed); return; }
      this.page.say(fill(this.text.scheme_dropped, { name: scheme.name }), { label: this.page.text.undo, run: async () => { await this.page.scenes.keep(scheme); this.listSchemes(); } });
      this.listSchemes();
    }
  }

  function filterQuery({ state, styles }) {
    const asked = new URLSearchParams(state.selection);
    for (const code of state.hidden) asked.append('hide', styles[code].key);
    return asked.toString();
  }

  /** In which language a refusal is to be. */
  function spoken() { return `?lang=${language()}`; }

  /** The kept schemes; in presentation they are the scenes that the arrows step through. */
  class Scenes {
    constructor(page) {
      this.page = page;
      this.list = [];
      this.at = -1;
      this.title = '';
      this.hint = el('div', { class: 'stage scene', hidden: true, 'aria-live': 'polite' });
      page.root.append(this.hint);
    }

    get url() { return `../schemes/${this.page.state.dataset}`; }

    async load() {
      try { this.list = (await data.json(this.url)).schemes; } catch { /* the last list still stands */ }
    }

    async keep(scheme) {
      await data.json(this.url + spoken(), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(scheme) });
      await this.load();
    }

    async drop(scheme) {
      await data.json(`${this.url}/${encodeURIComponent(scheme.scheme_id)}${spoken()}`, { method: 'DELETE' });
      await this.load();
    }

    /** Ask for the scheme's filter; where it looks is set when the filter has come. */
    show(scheme) {
      const { page } = this, same = sameQuery(scheme.query, filterQuery(page));
      this.going = scheme;
      if (same) this.arrived();
      else page.post('show', { query: scheme.query });
    }

    /** What is shown has changed; if a scheme asked for it, go where it looks. */
    arrived() {
      const { page, going } = this;
      if (!going || !sameQuery(going.query, filterQuery(page))) return;
      this.going = null;
      if (going.bounds) {
        page.figure.goTo(going.bounds);
        page.figure.keep(going.bounds);
      } else page.fit({ animate: false });
    }

    present(on) {
      this.title = '';
      this.at = -1;
      if (on) this.load();
    }

    /** The next or the last scene; false if there is none. */
    step(by) {
      const { list, page } = this;
      if (!list.length) return false;
      this.at = this.at < 0 ? (by > 0 ? 0 : list.length - 1) : Math.max(0, Math.min(list.length - 1, this.at + by));
      const scene = list[this.at];
      this.title = scene.title;
      this.show(scene);
      page.stage.update();
      this.hint.textContent = `${this.at + 1} / ${list.length}　${scene.name}`;
      this.hint.hidden = false;
      clearTimeout(this.hiding);
      this.hiding = setTimeout(() => { this.hint.hidden = true; }, SCENE_MS); // so that a screenshot is without it
      return true;
    }
  }

  function sameQuery(a, b) {
    const sorted = query => [...new URLSearchParams(query)].map(pair => pair.join('=')).sort().join('&');
    return sorted(a) === sorted(b);
  }

  window.BaitaFigure = { FigurePanel, Scenes };
})();
