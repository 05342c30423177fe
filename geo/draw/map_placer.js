/* Putting sites where they belong: a candidate, a click, clicks along a road, or a pasted coordinate; one site, or all
 * that wait, one after the other.
 *
 * Nothing is placed by itself: every place is a person's word, sent to the server and kept as a correction.
 */
(function () {
  'use strict';

  const { el, fill, data, language } = window.BaitaParts;
  const CLICK_PX = 8, SAME_PX = 4, EDGE_PX = 30, SIGNS = '①②③④⑤⑥⑦⑧⑨';

  class Placer {
    constructor(page) {
      const { text } = page;
      this.page = page;
      this.vertices = [];
      this.candidates = [];
      this.queue = null;
      this.title = el('b', {});
      this.about = el('span', { class: 'about' });
      this.hint = el('span', {});
      this.list = el('ol', { class: 'candidates' });
      this.input = el('input', { type: 'text', placeholder: text.paste, 'aria-label': text.paste, maxLength: 2000 });
      this.datum = el('select', { 'aria-label': text.datum }, el('option', { value: '' }, text.choose_datum),
        ...Object.entries(text.datums).map(([value, label]) => el('option', { value }, label)));
      this.form = el('form', { onsubmit: event => { event.preventDefault(); this.paste(); } }, this.input, this.datum, el('button', { class: 'main' }, text.place_here));
      this.finish = el('button', { class: 'main', hidden: true, onclick: () => this.sendLine() }, text.finish_line);
      this.skip = el('button', { hidden: true, title: text.skip_hint, onclick: () => this.next(1) }, text.skip);
      this.keys = el('button', { title: text.access.by_keys_hint, onclick: () => page.access.focusMap() }, text.access.by_keys);
      this.error = el('p', { class: 'error', role: 'alert' });
      this.node = el('section', { class: 'placer', hidden: true, 'aria-label': text.place }, this.title, this.about, this.list, this.hint, this.finish, this.form,
        this.skip, this.keys, el('button', { class: 'quiet', onclick: () => this.stop() }, text.cancel), this.error);
      page.root.append(this.node);
      this.line = L.polyline([], { color: '#111', weight: 3, dashArray: '6 5', interactive: false });
      this.shown = L.layerGroup();
      this.handles = L.layerGroup();
    }

    get active() { return !this.node.hidden; }

    start(row, site) {
      const { page } = this, { text } = page, style = page.styles[page.layer.data.code[row]];
      this.site = { id: site.site_id, name: site.name };
      this.row = row;
      this.isLine = style.shape === 'line';
      this.sent = false;
      this.vertices = this.isLine ? page.layer.rowLine(row) : [];
      this.line.setLatLngs(this.vertices).addTo(page.map);
      this.handles.addTo(page.map);
      this.drawHandles();
      this.title.textContent = fill(text.placing, { name: site.name });
      this.hint.textContent = this.isLine ? (this.vertices.length ? text.drag_hint : text.draw_hint) : text.click_hint;
      this.skip.hidden = !this.queue;
      this.error.textContent = '';
      this.input.value = '';
      this.form.hidden = this.isLine;
      this.node.hidden = false;
      page.map.getContainer().classList.add('placing');
      page.map.doubleClickZoom.disable();
      this.showCandidates([]);
      this.look();
    }

    stop() {
      this.queue = null;
      this.close();
    }

    close() {
      this.node.hidden = true;
      for (const part of [this.line, this.shown, this.handles]) part.remove();
      this.page.map.getContainer().classList.remove('placing');
      this.page.map.doubleClickZoom.enable();
    }

    // ---- candidates ---------------------------------------------------------------------------------------

    /** Ask which places it may be, and what is said of it; the answer to an earlier site is not shown. */
    async look() {
      const { page, site } = this, { text, state } = page, id = encodeURIComponent(site.id);
      try {
        // A geocoder on the network may take its time; what is known here is shown at once.
        const asked = data.json(`../candidates/${state.dataset}/${id}.json?lang=${language()}`).catch(() => ({ candidates: [], online: '' }));
        const about = await data.json(`${page.siteBase}${id}.json`);
        if (this.site !== site || !this.active) return;
        const words = [this.queue ? `${this.queue.at + 1} / ${this.queue.rows.length}` : '', text.reasons[about.reason] || '', about.place, about.street].filter(Boolean);
        this.about.textContent = words.join(' · ');
        const { candidates, online } = await asked;
        if (this.site !== site || !this.active) return;
        this.showCandidates(candidates);
        if (online) this.about.textContent = [...words, online].join(' · ');
      } catch { /* the map still takes a click */ }
    }

    showCandidates(candidates) {
      const { page } = this, { text } = page, box = L.latLngBounds([]);
      this.candidates = candidates;
      this.shown.clearLayers().addTo(page.map);
      candidates.forEach((one, n) => {
        const shape = L.geoJSON(one.geometry, { style: { color: '#f0a202', weight: 5, opacity: 0.85, fillOpacity: 0.15 }, pointToLayer: (feature, at) => L.circleMarker(at, { radius: 9, color: '#f0a202', fillColor: '#fff', fillOpacity: 1, weight: 3 }), interactive: false });
        const at = one.geometry.type === 'Point' ? L.latLng(one.geometry.coordinates[1], one.geometry.coordinates[0]) : shape.getBounds().getCenter();
        if (one.uncertainty_m && one.geometry.type === 'Point') L.circle(at, { radius: one.uncertainty_m, color: '#f0a202', weight: 1, dashArray: '4 4', fill: false, interactive: false }).addTo(this.shown);
        shape.addTo(this.shown);
        const sign = L.marker(at, { icon: L.divIcon({ className: 'candidate-sign', html: el('span', {}, String(n + 1)), iconSize: [22, 22] }), keyboard: false, title: one.name });
        sign.on('click', event => { L.DomEvent.stop(event); this.choose(n); }).addTo(this.shown);
        box.extend(shape.getBounds());
      });
      this.list.hidden = !candidates.length;
      this.list.replaceChildren(...candidates.map((one, n) => el('li', {}, el('button', { onclick: () => this.choose(n), title: [one.note, one.source].filter(Boolean).join(' · ') },
        el('b', {}, SIGNS[n] + ' ' + one.name), ` ${text.precisions[one.precision] || one.precision}${one.uncertainty_m ? ' ' + fill(text.plus_minus, { m: Math.round(one.uncertainty_m) }) : ''} · ${fill(text.score, { n: one.score })}`))));
      if (box.isValid()) this.bring(box);
    }

    /** Move the map if the candidates are not all in what is left of it under this panel. */
    bring(box) {
      const { map } = this.page, size = map.getSize(), top = this.node.offsetTop + this.node.offsetHeight + EDGE_PX;
      const free = L.bounds([EDGE_PX, top], [size.x - EDGE_PX, size.y - 2 * EDGE_PX]), corners = [box.getNorthWest(), box.getSouthEast()];
      if (corners.every(at => free.contains(map.latLngToContainerPoint(at)))) return;
      map.fitBounds(box, { paddingTopLeft: [2 * EDGE_PX, top + EDGE_PX], paddingBottomRight: [2 * EDGE_PX, 3 * EDGE_PX], maxZoom: Math.max(15, map.getZoom()), animate: false });
    }

    choose(n) {
      const one = this.candidates[n];
      if (!one || this.sent) return;
      this.sent = true;
      this.page.post('candidate', { site_id: this.site.id, candidate: one.id });
    }

    // ---- one after the other ------------------------------------------------------------------------------

    /** All that wait for a place or are only roughly known, the least known first. */
    async startQueue() {
      const { page } = this, seen = page.layer.visible(), wanted = new Set([...seen.waiting, ...seen.located.filter(row => page.layer.isApproximate(row))]);
      if (!wanted.size) { page.say(page.text.tray_empty); return; }
      let rows = [...wanted];
      try {
        const best = new Uint32Array(await data.buffer(`${page.dataBase}order/precision.bin`));
        rows = [...best].reverse().filter(row => wanted.has(row));
      } catch { /* then in the table's order */ }
      if (page.table.tab) page.table.toggle(page.table.tab);
      this.queue = { rows, at: -1, total: page.layer.data.rows };
      this.next(1);
    }

    async next(by) {
      const { page, queue } = this;
      if (!queue) return;
      queue.at += by;
      if (queue.at < 0 || queue.at >= queue.rows.length) {
        const done = queue.at > 0;
        this.stop();
        if (done) page.say(page.text.queue_done);
        return;
      }
      const row = queue.rows[queue.at], words = await page.words.get(row);
      if (this.queue !== queue) return;
      page.choose(-1);
      page.layer.select(row);
      this.start(row, { name: words.name, site_id: words.id });
    }

    /** Rows keep their places from one version to the next unless sites came or went. */
    dataChanged() {
      if (this.queue && this.queue.total !== this.page.layer.data.rows) this.stop();
    }

    /** Keys while something is being placed. Returns whether the key meant something. */
    key(key) {
      if (key >= '1' && key <= '9') { this.choose(Number(key) - 1); return true; }
      if (key === 'Enter' && this.isLine) { this.sendLine(); return true; }
      if (key === 'Backspace' && this.vertices.length) { this.vertices.pop(); this.redraw(); return true; }
      if (key === 'z') { this.page.post('undo', { placing: true }); return true; }
      if (!this.queue) return false;
      if (key === 'n' || key === 'ArrowRight') { this.next(1); return true; }
      if (key === 'ArrowLeft') { this.next(-1); return true; }
      return false;
    }

    // ---- a click, a line, a coordinate --------------------------------------------------------------------

    /** One click while placing: the site itself, or the next vertex of its road. */
    click(latlng) {
      if (!this.isLine) { this.send({ vertices: [[latlng.lng, latlng.lat]], datum: 'wgs84', within_m: this.clickError(latlng) }); return; }
      const { map } = this.page, last = this.vertices[this.vertices.length - 1];
      if (last && map.latLngToLayerPoint(last).distanceTo(map.latLngToLayerPoint(latlng)) < SAME_PX) return;
      this.vertices.push(latlng);
      this.redraw();
    }

    redraw() {
      this.line.setLatLngs(this.vertices);
      this.drawHandles();
    }

    /** Each vertex can be dragged to where the road really turns. */
    drawHandles() {
      this.handles.clearLayers();
      this.finish.hidden = this.vertices.length < 2;
      this.vertices.forEach((at, n) => {
        const handle = L.marker(at, { draggable: true, keyboard: false, icon: L.divIcon({ className: 'vertex', iconSize: [12, 12] }) });
        handle.on('drag', () => { this.vertices[n] = handle.getLatLng(); this.line.setLatLngs(this.vertices); });
        handle.addTo(this.handles);
      });
    }

    /** The vertex within a few pixels of a spot of the map's container, or -1. */
    vertexAt(at) { return this.vertices.findIndex(vertex => this.page.map.latLngToContainerPoint(vertex).distanceTo(at) <= CLICK_PX); }

    moveVertex(n, latlng) {
      this.vertices[n] = latlng;
      this.redraw();
    }

    /** How far a click may be off, in metres: eight pixels on the ground at this zoom. */
    clickError(latlng) {
      const { map } = this.page, at = map.latLngToContainerPoint(latlng);
      return Math.max(5, map.distance(latlng, map.containerPointToLatLng(at.add([CLICK_PX, 0]))));
    }

    sendLine() {
      if (this.vertices.length < 2) return;
      this.send({ vertices: this.vertices.map(v => [v.lng, v.lat]), datum: 'wgs84', within_m: this.clickError(this.vertices[0]) });
    }

    paste() {
      const { text } = this.page, words = this.input.value.trim(), isLink = /https?:\/\/|geo:/i.test(words);
      this.error.textContent = !words ? text.paste_empty : !this.datum.value && !isLink ? text.datum_missing : '';
      if (!this.error.textContent) this.send({ pasted: words, datum: isLink ? '' : this.datum.value });
    }

    /** Send it once: a double click is one place, so until the answer comes no second one leaves. */
    send(what) {
      if (this.sent) return;
      this.sent = true;
      this.page.post('place', { site_id: this.site.id, ...what });
    }

    /** The server's answer: done and on to the next, or what to change. */
    answer(reply) {
      this.sent = false;
      if (!this.active) return;
      if (!reply.ok) this.error.textContent = reply.message;
      else if (this.queue && reply.site_id === this.site.id) this.next(1);
      else if (!this.queue) this.stop();
    }
  }

  window.BaitaPlacer = Placer;
})();
