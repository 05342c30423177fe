/* The map page for those who work without a mouse, without seeing it, at night, or on paper: a crosshair moved by keys, a
 * spoken summary, focus that returns to where it came from, the dark theme, and what goes to the printer.
 */
(function () {
  'use strict';

  const { el, fill } = window.BaitaParts;
  const STEP_PX = 16, FINE_PX = 2, PAN_PX = 120, EDGE_PX = 48, REACH_PX = 14, SPEAK_MS = 500, MOST_SPOTS = 4000;
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const FOCUSABLE = 'a[href],button,input,select,textarea,summary,[tabindex]';
  const PAPER = { width: 1046, height: 718 }; // A4 landscape without 10 mm on each side, in CSS pixels
  const GROUND = { // of the plain basemap, see drawBasemap
    light: { neighbour: { color: '#c3cad3', fillColor: '#e4e8ed' }, home: { fillColor: '#ffffff' }, edge: { color: '#5b6b80' } },
    dark: { neighbour: { color: '#39424d', fillColor: '#161b22' }, home: { fillColor: '#232a33' }, edge: { color: '#8b98a8' } },
  };

  const calm = () => window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  const inSight = node => node.isConnected && node.getClientRects().length > 0 && !node.closest('[inert]');
  const reachable = box => [...box.querySelectorAll(FOCUSABLE)].filter(node => node.tabIndex >= 0 && !node.disabled && inSight(node));

  class Access {
    constructor(page) {
      const { text } = page;
      this.page = page;
      this.text = text.access;
      this.grabbed = -1;
      this.byKeys = false;
      this.cross = el('div', { class: 'crosshair', hidden: true });
      this.live = el('div', { class: 'unseen', role: 'status' });
      this.about = el('p', { class: 'unseen', id: 'baita-map-keys' }, this.text.map_keys);
      this.node = el('div', { class: 'map-keys', tabIndex: 0, role: 'application', 'aria-label': this.text.map, 'aria-describedby': 'baita-map-keys', onfocus: () => this.aim(), onblur: () => this.leave() }, this.cross);
      page.root.prepend(this.node);
      page.root.append(this.about, this.live);
      this.standInForLeaflet();
      this.calmDown();
      if (page.desk) this.keepIn(page.desk.node);
      this.watchFocus(); // after what makes the rest reachable again
      this.setTheme(outsideTheme());
      window.addEventListener('beforeprint', () => this.print(true));
      window.addEventListener('afterprint', () => this.print(false));
    }

    // ---- the map by keys ----------------------------------------------------------------------------------

    /** Leaflet makes the whole container one stop of the keyboard, with all panels in it; ours is the map alone. */
    standInForLeaflet() {
      const { map, root } = this.page;
      map.keyboard.disable();
      root.removeAttribute('tabindex');
      root.addEventListener('pointerdown', () => { this.byKeys = false; this.cross.hidden = true; }, true);
      document.addEventListener('keydown', () => { this.byKeys = true; }, true);
      map.on('mousedown', event => { if (!event.originalEvent.target.closest('button,input,select,.leaflet-marker-icon')) this.node.focus({ preventScroll: true }); });
      map.on('resize', () => { this.at = null; });
    }

    /** Show the crosshair, where it was last or in the middle of what can be seen. */
    aim() {
      const { map } = this.page, size = map.getSize();
      this.at = this.at || L.point(Math.round(size.x / 2), Math.round(size.y / 2));
      this.cross.hidden = !this.byKeys;
      this.paint();
    }

    leave() {
      this.cross.hidden = true;
      this.page.hover({ row: -1 });
    }

    paint() { this.cross.style.transform = `translate(${this.at.x}px, ${this.at.y}px)`; }

    get latlng() { return this.page.map.containerPointToLatLng(this.at); }

    focusMap() {
      this.byKeys = true;
      this.node.focus({ preventScroll: true });
      this.aim();
    }

    /** Keys while the map has the focus. Returns whether the key meant something. */
    key(event) {
      if (document.activeElement !== this.node || this.page.presenting) return false;
      const { map, placer } = this.page, arrow = ARROWS[event.key];
      if (event.key === '+' || event.key === '=') map.zoomIn();
      else if (event.key === '-') map.zoomOut();
      else if (arrow && this.cross.hidden) map.panBy([arrow[0] * PAN_PX, arrow[1] * PAN_PX]);
      else if (arrow) this.move(arrow, event.shiftKey ? FINE_PX : STEP_PX);
      else if (event.key === 'PageDown' || event.key === 'PageUp') this.next(event.key === 'PageDown' ? 1 : -1);
      else if (event.key === 'Enter' && event.shiftKey && placer.active && placer.isLine) placer.sendLine();
      else if (event.key === 'Enter' || event.key === ' ') this.press();
      else return false;
      return true;
    }

    /** Move the crosshair; at the edge the map moves under it. */
    move([x, y], by) {
      const { map } = this.page, size = map.getSize(), to = this.at.add([x * by, y * by]);
      const kept = L.point(Math.max(EDGE_PX, Math.min(size.x - EDGE_PX, to.x)), Math.max(EDGE_PX, Math.min(size.y - EDGE_PX, to.y)));
      if (!kept.equals(to)) map.panBy(to.subtract(kept), { animate: false });
      this.at = kept;
      this.paint();
      if (this.grabbed >= 0) this.page.placer.moveVertex(this.grabbed, this.latlng);
      else this.look();
    }

    /** Name what lies under the crosshair, for the eye and for the ear. */
    look() {
      const { page } = this, row = this.rowHere(), bubble = row < 0 && page.layer.bubbleAt ? page.layer.bubbleAt(this.latlng) : null;
      page.hover({ row, latlng: this.latlng });
      this.name(row, bubble);
    }

    /** Say what a site is called, or how many sites a bubble stands for; once, until the crosshair is elsewhere. */
    async name(row, bubble) {
      const { page } = this, key = bubble ? `${bubble.x},${bubble.y}` : row;
      if (key === this.lookedKey) return;
      this.looked = row;
      this.lookedKey = key;
      if (bubble) this.speak(fill(this.text.bubble, { n: bubble.n, parts: bubble.counts.map(([code, n]) => `${page.styles[code].label} ${n}`).join(this.text.stop) }));
      const words = row >= 0 && await page.words.get(row);
      if (!words || this.looked !== row) return;
      page.hover({ row, latlng: this.latlng });
      this.speak(`${words.name} ${page.styles[page.layer.data.code[row]].label}`);
    }

    rowHere() {
      for (const by of [[0, 0], [REACH_PX, 0], [-REACH_PX, 0], [0, REACH_PX], [0, -REACH_PX]]) {
        const row = this.page.layer.pick(this.page.map.containerPointToLatLng(this.at.add(by)));
        if (row >= 0) return row;
      }
      return -1;
    }

    /** What a click does; on a vertex, take it along and put it down. */
    press() {
      const { page } = this, { placer } = page;
      this.cross.hidden = false;
      if (this.grabbed >= 0) { this.grabbed = -1; this.speak(this.text.put_down); return; }
      if (!placer.active) {
        const row = this.rowHere();
        if (row < 0 && page.layer.goNearer && page.layer.goNearer(this.latlng)) { this.at = null; this.lookedKey = null; this.aim(); return; } // what it stood for is around the middle now
        page.choose(row).then(() => { if (row >= 0) page.detail.node.focus({ preventScroll: true }); });
        return;
      }
      this.grabbed = placer.isLine ? placer.vertexAt(this.at) : -1;
      if (this.grabbed >= 0) { this.speak(this.text.taken); return; }
      placer.click(this.latlng);
      if (placer.isLine) this.speak(fill(this.text.vertices, { n: placer.vertices.length }));
    }

    /** To the next site or bubble in sight, from west to east. */
    next(by) {
      const { page } = this, spots = this.spots();
      if (!spots.length) return;
      const now = spots.findIndex(one => one.key === this.lookedKey);
      const to = spots[now < 0 ? (by > 0 ? 0 : spots.length - 1) : (now + by + spots.length) % spots.length];
      this.at = to.at;
      this.cross.hidden = false;
      this.paint();
      page.hover({ row: to.row, latlng: this.latlng });
      this.name(to.row, to.bubble);
    }

    /** What is drawn in sight, from west to east: where each is on the screen; of very many the first that come. */
    spots() {
      const { map, layer } = this.page, size = map.getSize(), scale = 256 * 2 ** map.getZoom() / 2 ** 32, origin = map.getPixelOrigin(), spots = [];
      for (const { row, x, y, bubble } of layer.spots(MOST_SPOTS)) {
        const at = map.layerPointToContainerPoint(L.point(x * scale, y * scale).subtract(origin)).round();
        if (at.x >= 0 && at.y >= 0 && at.x <= size.x && at.y <= size.y) spots.push({ row, bubble, at, key: bubble ? `${bubble.x},${bubble.y}` : row });
      }
      return spots.sort((a, b) => a.at.x - b.at.x || a.at.y - b.at.y || a.row - b.row);
    }

    // ---- for the ear --------------------------------------------------------------------------------------

    speak(words) {
      clearTimeout(this.speaking);
      this.live.textContent = words;
    }

    /** What is shown has changed: say how much, once things have come to rest. */
    update() {
      const { page } = this, { text, state, layer } = page, seen = layer.visible();
      if (!seen || !state) return;
      const total = seen.located.length + seen.waiting.length;
      const said = [state.title, state.subtitle, fill(text.on_map_of, { n: seen.located.length, total })].filter(Boolean).join(text.access.stop);
      this.node.setAttribute('aria-label', `${this.text.map}${text.colon}${said}`);
      layer._container.setAttribute('role', 'img');
      layer._container.setAttribute('aria-label', said);
      if (said === this.said) return;
      const first = this.said === undefined;
      this.said = said;
      clearTimeout(this.speaking);
      if (!first) this.speaking = setTimeout(() => this.speak(said), SPEAK_MS);
    }

    // ---- where the focus is -------------------------------------------------------------------------------

    get panels() {
      const { detail, many, placer, figure, desk, time, table } = this.page, named = [detail, table.many || many, placer, figure, desk, time && time.panel].filter(Boolean);
      return named.map(one => one.node);
    }

    /** A panel that opens by a key takes the focus; one that closes gives it back to what opened it. */
    watchFocus() {
      const { page } = this, from = new Map(), last = [];
      document.addEventListener('focusin', event => { last.unshift(event.target); last.length = Math.min(last.length, 12); });
      const opened = panel => {
        from.set(panel, last.find(node => !panel.contains(node)));
        if (this.byKeys && panel !== page.detail.node && !panel.contains(document.activeElement)) (reachable(panel).find(node => !node.matches('.close,.guard-stop')) || panel).focus({ preventScroll: true });
      };
      const closed = panel => {
        const here = document.activeElement;
        if (here && here !== document.body && !panel.contains(here)) return;
        const back = [from.get(panel), page.table.tab && page.table.grid, this.node].find(node => node && inSight(node));
        if (back && this.byKeys) back.focus({ preventScroll: true });
      };
      const observer = new MutationObserver(changes => {
        for (const panel of new Set(changes.map(change => change.target))) {
          if (panel.hidden === (panel.wasHidden ?? true)) continue;
          panel.wasHidden = panel.hidden;
          if (panel.hidden) closed(panel); else opened(panel);
        }
      });
      for (const panel of this.panels) observer.observe(panel, { attributes: true, attributeFilter: ['hidden'] });
    }

    /** A dialog: what lies under it cannot be reached, and Tab goes round in it. */
    keepIn(dialog) {
      dialog.setAttribute('role', 'dialog');
      dialog.setAttribute('aria-modal', 'true');
      new MutationObserver(() => {
        for (const node of this.page.root.children) if (node !== dialog && !node.matches('.messages,.unseen')) node.inert = !dialog.hidden;
      }).observe(dialog, { attributes: true, attributeFilter: ['hidden'] });
      // Before its first stop and after its last one stand two that pass the focus on: fields have stops of their own inside.
      const guard = pick => el('span', { class: 'guard-stop', tabIndex: 0, onfocus: () => { const stops = reachable(dialog).filter(node => !node.matches('.guard-stop')); (stops[pick(stops)] || dialog).focus(); } });
      dialog.prepend(guard(stops => stops.length - 1));
      dialog.append(guard(() => 0));
    }

    /** One step back: of all that is open, what is on top. */
    escape() {
      const { page } = this, { placer, detail, figure, table, time } = page;
      if (this.grabbed >= 0) this.grabbed = -1;
      else if (placer.active) placer.stop();
      else if (page.presenting) page.post('key', { key: 'Escape' });
      else if (figure && figure.open) figure.toggle();
      else if (detail.editing && !detail.node.hidden) detail.cancel();
      else if (!table.many.node.hidden) table.many.close();
      else if (page.layer.selected >= 0) page.choose(-1);
      else if (time && time.panel.mode) time.panel.close();
      else if (table.tab) table.toggle(table.tab);
    }

    // ---- motion, theme, paper -----------------------------------------------------------------------------

    /** For those who have asked their computer for less motion, the map jumps instead of gliding. */
    calmDown() {
      const { map } = this.page;
      for (const name of ['setView', 'panBy', 'flyTo', 'flyToBounds']) {
        const move = map[name], options = name === 'setView' || name === 'flyTo' ? 2 : 1;
        map[name] = (...given) => {
          if (calm()) given[options] = { ...given[options], animate: false };
          return move.apply(map, given);
        };
      }
      const motion = window.matchMedia('(prefers-reduced-motion: reduce)'), follow = () => { map.options.zoomAnimation = map._zoomAnimated = !motion.matches && L.Browser.any3d; map.options.inertia = !motion.matches; };
      motion.addEventListener('change', follow);
      follow();
    }

    /** light or dark; a picture of the map (presentation, print, hand-out) is always light. */
    setTheme(theme) {
      this.theme = theme;
      const shown = this.page.presenting || this.printing || window.BaitaHandout ? 'light' : theme, ground = GROUND[shown];
      document.documentElement.dataset.theme = shown;
      this.page.ground.forEach(([part, shape]) => shape.setStyle(ground[part]));
      this.page.layer.options.dark = shown === 'dark';
      this.page.layer._redraw();
    }

    /** Lay the map out for A4 landscape with what explains it, and put it back. Painted at once: a printer does not wait. */
    print(on) {
      const { page } = this, { map } = page;
      if (on === Boolean(this.printing)) return;
      if (on) this.printing = { bounds: map.getBounds(), centre: map.getCenter(), zoom: map.getZoom() };
      const { bounds, centre, zoom } = this.printing;
      if (!on) this.printing = null;
      document.body.classList.toggle('printing', on);
      Object.assign(page.root.style, on ? { width: PAPER.width + 'px', height: PAPER.height + 'px' } : { width: '', height: '' });
      this.setTheme(this.theme);
      page.stage.update();
      map.invalidateSize({ animate: false, pan: false });
      if (on) map.fitBounds(bounds, { animate: false }); else map.setView(centre, zoom, { animate: false });
      page.layer.options.sharp = on ? 3 : 0;
      page.layer._update();
      page.drawScale();
      if (on) page.root.getBoundingClientRect(); // lay it out now: what is left for the next frame is missing on paper
    }
  }

  /** The theme of the page around this one. */
  function outsideTheme() {
    try { return window.parent !== window && window.parent.document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light'; } catch { return 'light'; }
  }

  window.BaitaAccess = { Access };
})();
