/* The map page: one Leaflet map with our site layer, told what to show by the page around it.
 *
 * Messages in (from the same origin only): baita:state, baita:preview, baita:answer, baita:command. Messages out: baita:ready,
 * baita:view, baita:place, baita:undo, baita:open, baita:key, baita:tour. A filter never reloads this page.
 */
(function () {
  'use strict';

  const { el, fill, data, Attributes, DetailPanel, SiteTable, Stage, language } = window.BaitaParts;
  const SCALE_PX = 120;
  const LOOK_MS = 1000; // how often a page in sight asks whether somebody else has changed something
  const AGAIN_MS = 2000; // and how long it leaves a server alone that could not say
  const MIN_SPAN_KM = 4; // a first look shows at least this much around the sites
  const ICONS = { // drawn on a 20 x 20 grid; a font's own signs are missing on some office PCs
    undo: 'M7 4L3 8l4 4M3 8h9a4.5 4.5 0 010 9H8',
    redo: 'M13 4l4 4-4 4M17 8H8a4.5 4.5 0 000 9h4',
    fit: 'M7 10h6M10 7v6M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4',
    labels: 'M3 6V3h14v3M10 3v14M7 17h6',
    tiles: 'M3 5l5-2 4 2 5-2v12l-5 2-4-2-5 2zM8 3v12M12 5v12',
    theme: 'M10 3a7 7 0 100 14zM10 3a7 7 0 010 14',
    full: 'M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4',
    present: 'M2 4h16v10H2zM10 14v3M6 17h8',
    desk: 'M10 3v9M6 9l4 4 4-4M3 14v3h14v-3',
    figure: 'M3 3h14v14H3zM3 14l4-5 4 5 3-3 3 3M13 6.5h1',
  };

  /** Undo or redo, as the keys of every office program say it; "" for other keys. */
  function stepOf(event) {
    if (event.altKey || (!event.ctrlKey && !event.metaKey)) return '';
    const key = event.key.toLowerCase();
    return key === 'y' || (key === 'z' && event.shiftKey) ? 'redo' : key === 'z' ? 'undo' : '';
  }

  function icon(name) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), path = document.createElementNS(svg.namespaceURI, 'path');
    svg.setAttribute('viewBox', '0 0 20 20');
    svg.setAttribute('aria-hidden', 'true');
    path.setAttribute('d', ICONS[name]);
    svg.append(path);
    return svg;
  }

  class MapPage {
    constructor(map, config) {
      this.map = map;
      this.text = config.text;
      this.root = map.getContainer();
      this.kinds = config.kinds;
      this.styles = config.kinds.flatMap(kind => kind.statuses.map(status => ({ ...status, shape: kind.shape, kindLabel: kind.label })));
      this.kinds = config.kinds.map(kind => ({ ...kind, statuses: kind.statuses.map(s => this.styles[s.code]) }));
      this.state = null;
      this.loads = 0;
      this.canEdit = false;
      this.drawBasemap(config.basemap);
      this.layer = L.siteLayer = new L.SiteLayer({ categories: this.styles, nameOf: row => { const w = this.words && this.words.peek(row); return w ? w.name : null; } });
      this.layer.addTo(map);
      this.whole = this.layer;
      this.addControls();
      this.detail = new DetailPanel(this);
      this.table = new SiteTable(this);
      this.placer = new window.BaitaPlacer(this);
      this.stage = new Stage(this);
      if (window.BaitaFigure) {
        this.scenes = new window.BaitaFigure.Scenes(this);
        this.figure = new window.BaitaFigure.FigurePanel(this);
      }
      if (window.BaitaTime) this.time = new window.BaitaTime.TimeBar(this);
      if (window.BaitaDesk) this.desk = new window.BaitaDesk.ImportDesk(this);
      this.access = new window.BaitaAccess.Access(this);
      this.tip = el('div', { class: 'tip', hidden: true });
      this.messages = el('div', { class: 'messages', role: 'status' });
      this.empty = el('div', { class: 'empty-state', hidden: true });
      this.root.append(this.tip, this.messages, this.empty);
      for (const node of this.root.querySelectorAll('.detail,.many,.dock,.placer,.messages,.buttons,.stage,.empty-state,.figure,.desk,.time-panel')) {
        L.DomEvent.disableClickPropagation(node);
        // Leaflet looks for `node` above what was clicked, in vain when the click has removed that: a message, a row.
        node.addEventListener('click', event => event.stopPropagation());
        L.DomEvent.disableScrollPropagation(node);
      }
      this.listen();
      this.home = L.latLngBounds(config.basemap.home.rings.flat());
      map.fitBounds(this.home, { animate: false, padding: [12, 12] });
    }

    // ---- what is drawn under and around the sites ---------------------------------------------------------

    drawBasemap(basemap) {
      const { map } = this, under = map.createPane('under');
      under.style.zIndex = 250;
      under.style.pointerEvents = 'none';
      this.drawTiles(basemap.tiles, basemap.vector);
      const quiet = { pane: 'under', renderer: L.canvas({ pane: 'under', padding: 0.3 }), interactive: false };
      for (const region of basemap.neighbours) this.plain.push(L.polygon(region.rings, { ...quiet, weight: 1, fillOpacity: 1 }).addTo(map));
      this.plain.push(L.polygon(basemap.home.rings, { ...quiet, stroke: false, fillOpacity: 1 }).addTo(map));
      const edge = L.polygon(basemap.home.rings, { ...quiet, weight: 2.2, fill: false }).addTo(map);
      this.ground = [...this.plain.map((shape, n) => [n < basemap.neighbours.length ? 'neighbour' : 'home', shape]), ['edge', edge]]; // coloured by the theme
      const label = (name, at, kind) => L.marker(at, { pane: 'under', interactive: false, keyboard: false, icon: L.divIcon({ className: 'place-name ' + kind, iconSize: [0, 0], html: el('span', {}, name) }) }).addTo(map);
      for (const region of basemap.neighbours) label(region.name, region.label, 'neighbour');
      label(basemap.home.name, basemap.home.label, 'home');
      for (const [name, lat, lon] of basemap.landmarks) label(name, [lat, lon], 'landmark');
    }

    /** Picture tiles, if an administrator has set any: under everything, and named. */
    drawTiles(tiles, vector) {
      this.plain = [];
      this.tiles = [];
      if (!tiles && !vector) return;
      const pane = this.map.createPane('tiles-under');
      pane.style.zIndex = 240;
      pane.style.pointerEvents = 'none';
      this.credit = el('div', { class: 'credit' }, (tiles || vector.manifest).attribution);
      if (!tiles) { this.tiles.push(new L.VectorBase({ pane: 'tiles-under', manifest: vector.manifest, url: file => vector.address + file })); return; }
      for (const layer of tiles.layers) this.tiles.push(new window.BaitaTiles.Tiles(`../tiles/${layer}/{z}/{x}/{y}`, { pane: 'tiles-under', maxNativeZoom: tiles.maxZoom, maxZoom: 19, minZoom: 3, offsets: tiles.offsets }));
    }

    /** Show the tiles, or the plain outline; this browser remembers which. */
    showTiles(on) {
      for (const layer of this.tiles) if (on) layer.addTo(this.map); else layer.remove();
      for (const shape of this.plain) if (on) shape.remove(); else shape.addTo(this.map).bringToBack();
      this.root.classList.toggle('on-tiles', on);
      if (this.baseButton) this.baseButton.setAttribute('aria-pressed', String(on));
      try { localStorage.setItem('baita:tiles', on ? 'yes' : 'no'); } catch { /* private mode */ }
    }

    addControls() {
      const { map, text } = this;
      L.control.zoom({ position: 'topleft', zoomInTitle: text.zoom_in, zoomOutTitle: text.zoom_out }).addTo(map);
      this.scale = el('div', { class: 'scale' }, el('i', {}), el('span', {}));
      this.north = el('div', { class: 'north', title: text.north }, 'N');
      this.buttons = el('div', { class: 'buttons' },
        this.undoButton = this.button(text.undo, 'undo', () => this.step('undo')),
        this.redoButton = this.button(text.redo, 'redo', () => this.step('redo')),
        this.button(text.fit, 'fit', () => this.fit()),
        this.labelButton = this.button(text.labels, 'labels', () => this.toggleLabels()),
        this.tiles.length ? this.baseButton = this.button(text.tiles, 'tiles', () => this.command({ key: 'b' })) : '',
        window.BaitaHandout ? '' : this.button(text.theme, 'theme', () => this.switchTheme()),
        this.button(text.full_screen, 'full', () => this.fullScreen()),
        this.button(text.present, 'present', () => this.post('key', { key: 'p' })),
        window.BaitaDesk ? this.deskButton = this.button(text.desk.button, 'desk', () => this.openDesk()) : '',
        window.BaitaFigure ? this.button(text.figure.open, 'figure', () => this.figure.toggle()) : '');
      this.labelButton.setAttribute('aria-pressed', 'true');
      this.root.append(this.buttons, this.scale, this.north);
      if (this.tiles.length) {
        this.root.append(this.credit);
        let on = true;
        try { on = localStorage.getItem('baita:tiles') !== 'no'; } catch { /* private mode */ }
        this.showTiles(on);
      }
      map.on('zoomend moveend resize', () => this.drawScale());
    }

    button(label, name, onclick) { return el('button', { title: label, 'aria-label': label, onclick }, icon(name)); }

    /** A bar of round metres, at the latitude of the middle of the map. */
    drawScale() {
      const { map } = this, size = map.getSize(), y = size.y / 2;
      const metres = map.distance(map.containerPointToLatLng([0, y]), map.containerPointToLatLng([SCALE_PX, y]));
      const power = Math.pow(10, Math.floor(Math.log10(metres))), round = [5, 2, 1].map(k => k * power).find(m => m <= metres);
      this.scale.firstChild.style.width = SCALE_PX * round / metres + 'px';
      this.scale.lastChild.textContent = round >= 1000 ? `${round / 1000} km` : `${round} m`;
    }

    symbol(style) {
      const canvas = L.SiteLayer.legendSymbol(style, window.devicePixelRatio || 1), ratio = window.devicePixelRatio || 1;
      canvas.style.width = canvas.width / ratio + 'px';
      canvas.className = 'symbol';
      canvas.setAttribute('aria-hidden', 'true');
      return canvas;
    }

    // ---- messages ------------------------------------------------------------------------------------------

    listen() {
      window.addEventListener('message', event => {
        if (event.origin !== location.origin || event.source !== window.parent || !event.data) return;
        const { type, ...message } = event.data;
        if (type === 'baita:state') this.setState(message);
        else if (type === 'baita:preview') this.showAllBut(message.hidden, this.layer.bits());
        else if (type === 'baita:answer') this.answer(message);
        else if (type === 'baita:command') this.command(message);
      });
      this.listenTo(this.layer);
      this.map.on('moveend', () => this.tellView());
      if (!window.BaitaHandout) {
        this.lookLater();
        document.addEventListener('visibilitychange', () => this.lookForNews());
      }
      document.addEventListener('keydown', event => {
        if (this.desk && this.desk.open) { if (this.desk.key(event)) event.preventDefault(); event.stopPropagation(); return; }
        if (event.target.closest('input:not([type=checkbox]):not([type=range]),select,textarea') && event.key !== 'Escape') return;
        const step = stepOf(event);
        if (step) { this.step(step); event.preventDefault(); event.stopPropagation(); return; }
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === 'Enter' && event.target.closest('button,summary,a')) return; // presses what has the focus
        if (this.access.key(event)) { event.preventDefault(); event.stopPropagation(); return; }
        if (event.target.closest('.grid') && event.key !== 'Escape' && this.table.key(event)) { event.preventDefault(); event.stopPropagation(); return; }
        if (this.command({ key: event.key })) { event.preventDefault(); event.stopPropagation(); }
      }, { capture: true }); // before Leaflet, which pans by the arrows that step through the scenes
    }

    listenTo(layer) { layer.on('hover', event => this.hover(event)).on('choose', event => this.clicked(event)); }

    /** A set of millions has a layer of its own, which fetches tiles; any other one comes whole. */
    useLayer(tiled) {
      if (tiled && !this.tiled) this.listenTo(this.tiled = new L.TileSites({ categories: this.styles }));
      const wanted = tiled ? this.tiled : this.whole;
      if (wanted === this.layer) return;
      this.layer.remove();
      this.layer = L.siteLayer = wanted.addTo(this.map);
      this.dataBase = '';
    }

    /** Take the last step back, or do it again; of a page without either the key means nothing. */
    step(which) {
      const { steps } = this.state || {};
      if (this.canEdit && !this.presenting && steps && steps[which]) this.post(which, {});
    }

    showSteps() {
      const { text, state: { steps } } = this;
      for (const [name, button] of [['undo', this.undoButton], ['redo', this.redoButton]]) {
        const what = steps ? steps[name] : '', label = what ? `${text[name]}${text.colon}${what}` : text[name];
        button.hidden = !this.canEdit;
        button.disabled = !what;
        button.title = `${label} (${name === 'undo' ? 'Ctrl+Z' : 'Ctrl+Y'})`;
        button.setAttribute('aria-label', button.title);
      }
    }

    /** Look for news a second after the last answer; a state for a click is one too, so clicking asks nothing more. */
    lookLater() {
      clearTimeout(this.nextLook);
      this.nextLook = setTimeout(() => this.lookForNews().finally(() => this.lookLater()), LOOK_MS);
    }

    /** See whether somebody else has changed something, and then have the page run again. */
    async lookForNews() {
      const { state } = this;
      if (!state || document.hidden || this.looking || this.away) return;
      this.looking = true;
      try {
        const { version } = await data.json(`../version/${state.dataset}?lang=${language()}`);
        if (this.trouble) this.post('trouble', { words: this.trouble = '' });
        if (version !== this.state.version && state.version === this.state.version && version !== this.asked) {
          this.asked = version;
          this.post('refresh', {});
        }
      } catch (error) {
        // A server that is away itself is told of by the page around this one.
        if (error.status === 503) this.post('trouble', { words: this.trouble = fill(this.text.store_away, { reason: error.said }) });
        await new Promise(done => setTimeout(done, AGAIN_MS));
      } finally { this.looking = false; }
    }

    post(type, message) { if (window.parent !== window) window.parent.postMessage({ type: 'baita:' + type, ...message }, location.origin); }

    tellView() {
      const centre = this.map.getCenter(), w = this.layer.selected >= 0 && this.words ? this.words.peek(this.layer.selected) : null;
      this.post('view', { zoom: this.map.getZoom(), lat: centre.lat, lon: centre.lng, site: w ? w.id : this.pendingSite || '' });
    }

    /** What to show. Only a new data version fetches positions; only a text, street or date filter fetches bits. */
    async setState(state) {
      const turn = this.turn = (this.turn || 0) + 1;
      let sites, bits, changed;
      try {
        [sites, bits, changed] = await Promise.all([
          state.tiles || this.dataBase === state.data ? null : data.buffer(state.data + 'sites.bin'),
          state.selection && !state.tiles ? data.buffer(`${state.data}selection.bin?${state.selection}`) : null,
          this.time && !state.tiles ? this.time.fetch(state) : null,
        ]);
      } catch {
        if (turn === this.turn) this.say(this.text.data_failed, { label: this.text.retry, run: () => this.setState(state) });
        return;
      }
      if (turn !== this.turn) return; // a later state is on its way
      const before = this.state;
      this.state = state;
      if (this.nextLook) this.lookLater();
      this.canEdit = state.editable;
      this.canImport = state.importable;
      this.showSteps();
      if (this.deskButton) this.deskButton.hidden = !state.editable;
      this.useLayer(Boolean(state.tiles));
      const isNew = this.dataBase !== state.data;
      this.dataBase = state.data;
      this.siteBase = state.site;
      if (state.tiles) this.takeTiles(state, isNew); else if (sites) this.takeData(sites);
      this.showAllBut(state.hidden, bits ? new Uint8Array(bits) : null);
      if (this.time) this.time.arrive(state, changed);
      if (isNew) this.arrive(before);
      this.refresh();
    }

    showAllBut(hidden, bits) {
      const shown = new Uint8Array(256).fill(1);
      for (const code of hidden) shown[code] = 0;
      this.layer.setFilter(shown, bits);
    }

    takeTiles(state, isNew) {
      this.layer.setTiles({ address: state.tiles.address, base: state.data, query: state.selection, counts: state.tiles.counts });
      if (!isNew) return;
      this.words = new window.BaitaTileSites.TileWords(this.layer, this.dataBase, () => { this.layer._redraw(); this.table.paint(); });
      this.layer.selected = -1;
      this.placer.dataChanged();
      this.table.forgetOrder(false);
      this.loads++;
    }

    takeData(sites) {
      const ids = this.layer.data && this.layer.data.ids;
      this.words = new Attributes(this.dataBase, () => { this.layer._redraw(); this.table.paint(); if (this.time) this.time.panel.paintList(); });
      this.layer.selected = -1;
      this.layer._old = null; // of the rows before
      this.layer.setData(sites);
      this.placer.dataChanged();
      this.table.forgetOrder(ids === this.layer.data.ids);
      this.loads++;
    }

    /** New data is here. First: go where the link says, else to the sites. Another set: to its sites. */
    arrive(before) {
      const { view, dataset } = this.state;
      if (before && before.dataset === dataset) {
        if (this.chosenId) this.chooseId(this.chosenId, { again: true });
      } else {
        // What a message offers to undo is of the set before.
        if (before) { this.messages.replaceChildren(); this.choose(-1); this.placer.stop(); if (this.desk) this.desk.arrive(); }
        if (!before && view) this.map.setView([view.lat, view.lon], view.zoom, { animate: false });
        else this.fit({ animate: Boolean(before) });
        if (!before && view && view.site) this.chooseId(view.site);
      }
      this.welcome();
      this.post('ready', { loads: this.loads });
    }

    refresh() {
      if (this.scenes) this.scenes.arrived();
      if (this.time) this.time.update();
      this.table.update();
      this.stage.update();
      if (this.figure) this.figure.refresh();
      this.access.update();
      this.showEmpty();
      if (!this.detail.node.hidden && this.layer.selected >= 0) this.openDetail(this.layer.selected);
    }

    showEmpty() {
      const { text } = this, seen = this.layer.visible(), total = this.layer.data.rows;
      const nothing = seen && !seen.located.length;
      this.empty.hidden = !nothing;
      if (!nothing) return;
      const action = (label, run) => el('button', { class: 'main', onclick: run }, label);
      if (!total) this.empty.replaceChildren(el('p', {}, text.no_data), this.state.demo ? action(text.open_demo, () => this.post('open', { dataset: 'demo' })) : '');
      else if (seen.waiting.length) this.empty.replaceChildren(el('p', {}, fill(text.all_waiting, { n: seen.waiting.length })), action(text.show_tray, () => { if (this.table.tab !== 'tray') this.table.toggle('tray'); }));
      else this.empty.replaceChildren(el('p', {}, text.nothing_fits), action(text.clear_filter, () => this.post('key', { key: 'clear' })));
    }

    /** Once for each set: why most of the places wait, and what to do about it. */
    welcome() {
      const { text, state } = this, all = this.layer.visible();
      const key = 'baita:welcome:' + state.dataset, waiting = all.waiting.length, total = all.waiting.length + all.located.length;
      if (!state.welcome || waiting * 2 < total || localStorage.getItem(key)) return;
      const close = () => { localStorage.setItem(key, '1'); box.remove(); };
      const box = el('div', { class: 'message welcome' }, el('p', {}, fill(text.welcome, { total, located: all.located.length, waiting })),
        localStorage.getItem('baita:tour') ? '' : el('button', { class: 'tour', onclick: () => { close(); this.post('tour', {}); } }, text.tour.take),
        el('button', { class: 'main', onclick: () => { close(); if (this.table.tab !== 'tray') this.table.toggle('tray'); } }, text.welcome_place),
        state.demo ? el('button', { onclick: () => { close(); this.post('open', { dataset: 'demo' }); } }, text.open_demo) : '',
        el('button', { class: 'quiet', 'aria-label': text.close, onclick: close }, '×'));
      this.messages.append(box);
    }

    answer(reply) {
      this.detail.answered();
      const { editing } = this.detail, mine = editing && editing.site.site_id === reply.site_id;
      if (reply.conflict && mine) { this.detail.conflict(); return; }
      if (reply.edit && mine) { this.detail.editing = null; if (this.layer.selected >= 0) this.openDetail(this.layer.selected); }
      if (reply.many) this.table.edited(); else this.table.many.answered();
      const waiting = this.placer.active;
      this.placer.answer(reply);
      if (!reply.ok && waiting) return;
      this.say(reply.message, reply.undo ? { label: this.text.undo, run: () => this.post('undo', { step: reply.undo }) } : null,
        reply.redo ? { label: this.text.redo, run: () => this.post('redo', { step: reply.redo }) } : null,
        reply.same ? { label: fill(this.text.same_address, { n: reply.same }), run: () => this.post('same', { site_id: reply.site_id }) } : null);
    }

    say(message, ...actions) {
      const given = actions.filter(Boolean);
      const box = el('div', { class: 'message' }, el('p', {}, message), ...given.map(action => el('button', { onclick: () => { box.remove(); action.run(); } }, action.label)));
      this.messages.append(box);
      const leave = () => { if (box.matches(':hover,:focus-within')) setTimeout(leave, 2000); else box.remove(); }; // not from under somebody's hand
      setTimeout(leave, given.length ? 12000 : 5000);
    }

    command({ key, run, theme }) {
      if (key && this.desk && this.desk.open) return this.desk.key({ key, target: document.body });
      if (this.placer.active && key && this.placer.key(key)) return true;
      const scene = by => (this.presenting && this.scenes ? this.scenes.step(by) : false);
      const does = {
        f: () => this.fit(), l: () => this.toggleLabels(), t: () => this.table.toggle('table'), u: () => this.table.toggle('tray'),
        i: () => { if (!this.desk || this.presenting) return false; this.openDesk(); return true; },
        e: () => { if (!this.figure || this.presenting) return false; this.figure.toggle(); return true; },
        ArrowRight: () => scene(1), PageDown: () => scene(1), ArrowLeft: () => scene(-1), PageUp: () => scene(-1),
        '[': () => (this.time ? this.time.step(-1) : false), ']': () => (this.time ? this.time.step(1) : false),
        p: () => this.post('key', { key: 'p' }), '?': () => this.post('key', { key: '?' }), '/': () => this.post('key', { key: '/' }),
        b: () => { if (!this.tiles.length) return false; this.showTiles(!this.root.classList.contains('on-tiles')); return true; },
        r: () => { if (!this.canEdit || this.presenting || this.layer.list) return false; this.placer.startQueue(); return true; },
        Escape: () => this.access.escape(),
      }[key || run];
      if (run === 'away' || run === 'back') { this.away = run === 'away'; return true; }
      if (run === 'undo' || run === 'redo') { this.step(run); return true; }
      if (run === 'theme') { this.access.setTheme(theme); return true; }
      if (run === 'go-map') { this.access.focusMap(); return true; }
      if (run === 'go-table') { if (!this.table.tab) this.table.toggle('table'); else this.table.grid.focus({ preventScroll: true }); return true; }
      if (run === 'present' || run === 'normal') { this.present(run === 'present'); return true; }
      return does ? does() !== false : false;
    }

    // ---- what a person does --------------------------------------------------------------------------------

    /** All that the filter keeps; with little to show, the district around it gives the bearings. */
    async fit({ animate = true } = {}) {
      try { if (this.layer.loadBounds) await this.layer.loadBounds(); } catch { /* then the district */ }
      const box = this.layer.visibleBounds();
      const small = !box || box.getNorthWest().distanceTo(box.getSouthEast()) < MIN_SPAN_KM * 1000;
      const target = !box ? this.home : small && this.home.contains(box) ? this.home : box;
      this.map.fitBounds(target, { padding: [24, 24], maxZoom: 15, animate });
    }

    zoomTo(row) {
      const box = this.layer.rowBounds(row);
      if (box) this.map.fitBounds(box, { padding: [80, 80], maxZoom: Math.max(16, this.map.getZoom()) });
    }

    /** What people bring goes to the real set only; the invented one has samples to try. */
    openDesk() {
      if (!this.canEdit) return;
      if (this.figure && this.figure.open) this.figure.toggle();
      this.desk.toggle();
    }

    toggleLabels() {
      this.layer.options.labels = !this.layer.options.labels;
      this.labelButton.setAttribute('aria-pressed', String(this.layer.options.labels));
      this.layer._redraw();
    }

    /** Dark or light is the whole page's: what is being typed would be lost with the frame. */
    switchTheme() {
      if (this.placer.active || this.detail.editing) this.say(this.text.theme_later); else this.post('theme', {});
    }

    fullScreen() {
      const { document: doc } = window;
      if (doc.fullscreenElement) doc.exitFullscreen(); else if (this.root.requestFullscreen) this.root.requestFullscreen().catch(() => {});
    }

    present(on) {
      this.presenting = on;
      this.access.leave();
      if (on) { // nothing is done that the picture hides
        this.placer.stop();
        if (this.desk && this.desk.open) this.desk.toggle();
      }
      if (this.figure && this.figure.open) this.figure.toggle();
      if (this.scenes) this.scenes.present(on);
      document.body.classList.toggle('presenting', on);
      this.access.setTheme(this.access.theme);
      this.stage.update();
      setTimeout(() => { this.map.invalidateSize({ animate: false }); this.layer._update(); }, 60);
    }

    hover({ row, latlng }) {
      const usable = row >= 0 && !this.placer.active;
      this.root.style.cursor = usable ? 'pointer' : '';
      const w = usable && this.words ? this.words.peek(row) : null;
      this.tip.hidden = !w;
      if (!w) return;
      const style = this.styles[this.layer.data.code[row]], at = this.map.latLngToContainerPoint(latlng);
      this.tip.replaceChildren(el('b', {}, w.name), el('span', {}, style.label + (this.layer.isApproximate(row) || this.layer.isSketch(row) ? ' · ' + this.text.approximate : '')));
      this.tip.style.transform = `translate(${Math.round(at.x + 14)}px, ${Math.round(at.y + 14)}px)`;
    }

    clicked({ row, latlng }) {
      if (this.placer.active) this.placer.click(latlng);
      else this.choose(row);
    }

    async choose(row, { zoom = false, again = false } = {}) {
      this.layer.select(row);
      this.chosenId = '';
      if (row < 0) {
        this.detail.hide();
        this.follow(-1);
        this.tellView();
        return;
      }
      const box = zoom ? this.layer.rowBounds(row) : null;
      if (box && !this.map.getBounds().pad(-0.1).contains(box)) this.map.panTo(box.getCenter());
      this.follow(row, again);
      await this.openDetail(row);
    }

    /** Show in each list which row is chosen; a list is not moved to one that was chosen before. */
    follow(row, again = false) {
      if (again) this.table.paint(); else this.table.follow(row);
      if (this.time) this.time.panel.paintList();
    }

    async openDetail(row) {
      const w = await this.words.get(row);
      if (!w || this.layer.selected !== row) return;
      this.chosenId = w.id;
      await this.detail.show(row, w);
      this.tellView();
    }

    /** What was chosen is no more: its panel would speak of whatever has its row now. */
    gone() {
      const { site } = this.detail;
      this.choose(-1);
      if (site) this.say(fill(this.text.site_gone, { name: site.name }));
    }

    /** Choose a site by its id, as a link or a new data version does. */
    async chooseId(id, { again = false } = {}) {
      this.pendingSite = id;
      try {
        await this.choose((await data.json(`${this.dataBase}row?site=${encodeURIComponent(id)}`)).row, { again });
      } catch (error) { // the link is older than the data, or the server is away: nothing is chosen
        if (again && error.status === 404) this.gone();
      } finally {
        this.pendingSite = '';
      }
    }
  }

  window.BaitaMap = {
    stepOf,
    start(map, config) {
      const page = window.baita = new MapPage(map, config);
      if (window.BaitaHandout) window.BaitaHandout.open(page); else page.post('ready', { loads: 0 });
    },
  };
})();
