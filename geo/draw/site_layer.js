/* L.SiteLayer: every site of the table on one canvas, filtered by a lookup table and a bitset.
 *
 * The data is the binary of geo/draw/site_layer.py. A row is a position in the site table; the layer knows rows,
 * category codes and positions, never a site's words. Filtering changes two small arrays and repaints: nothing is
 * rebuilt, so it costs the same for 30 sites as for 100,000.
 */
(function () {
  'use strict';

  const WORLD = 4294967296; // 2**32: one unit of stored position is 1/2**32 of the world's width
  const LOCATED = 1, APPROXIMATE = 2, SKETCH = 4; // bits of a row's flag
  const MANY = 15000;       // points in view from which discs are written straight into pixels
  const CROWD = 2500;       // points in view from which symbols shrink and lose their glyph
  const MANY_LINES = 3000;  // lines and areas in view from which only their outlines are drawn, straight into pixels
  const FEW_CIRCLES = 12;   // uncertainty circles in view up to which they are tinted; more would paint over the map
  const HIT_PX = 9;         // how near, in CSS pixels, a pointer must come to a symbol or a line
  const FULL_TURN = 2 * Math.PI;
  const LINE_PX = 4, CASING_PX = 7.5;

  L.SiteLayer = L.Renderer.extend({
    options: { padding: 0.12, categories: [], labels: true, labelLimit: 60 },

    /** @param {object} options categories: [{shape, fill, hollow, dashed, glyph}] by code; nameOf(row) -> text or null */
    initialize: function (options) {
      L.setOptions(this, options);
      L.stamp(this);
      this._layers = {};              // what L.Renderer expects to have
      this._shown = new Uint8Array(256).fill(1);
      this._bits = null;
      this._sprites = new Map();
      this.data = null;
      this.selected = -1;
      this.stats = { drawn: 0, inView: 0, ms: 0 };
    },

    // ---- data and filter -------------------------------------------------------------------------------

    /** Take the binary; the filter stays. */
    setData: function (buffer) {
      this.data = parse(buffer);
      this._visible = null;
      this._sprites.clear();
      this._redraw();
      return this;
    },

    /** @param {Uint8Array} shown 256 bytes by category code @param {Uint8Array|null} bits one bit by row */
    setFilter: function (shown, bits) {
      this._shown = shown;
      this._bits = bits;
      this._visible = null;
      this._redraw();
      return this;
    },

    /** The bits of the filter, as given. */
    bits: function () { return this._bits; },

    isShown: function (row) {
      const bits = this._bits;
      return this._shown[this.data.code[row]] === 1 && (!bits || ((bits[row >> 3] >> (row & 7)) & 1) === 1);
    },

    isLocated: function (row) { return (this.data.flag[row] & LOCATED) !== 0; },
    isApproximate: function (row) { return (this.data.flag[row] & APPROXIMATE) !== 0; },
    isSketch: function (row) { return (this.data.flag[row] & SKETCH) !== 0; },

    /** Rows the filter keeps, in table order: {located: Uint32Array, waiting: Uint32Array, counts: by code}. */
    visible: function () {
      if (this._visible || !this.data) return this._visible;
      const n = this.data.rows, located = new Uint32Array(n), waiting = new Uint32Array(n);
      const counts = new Uint32Array(256);
      let a = 0, b = 0;
      for (let row = 0; row < n; row++) {
        if (!this.isShown(row)) continue;
        if (this.data.flag[row] & LOCATED) { located[a++] = row; counts[this.data.code[row]]++; } else waiting[b++] = row;
      }
      this._visible = { located: located.slice(0, a), waiting: waiting.slice(0, b), counts };
      return this._visible;
    },

    select: function (row) {
      this.selected = row;
      this._redraw();
    },

    /** Bounds of the rows the filter keeps, or null. */
    visibleBounds: function () {
      const d = this.data, box = [Infinity, Infinity, -Infinity, -Infinity];
      if (!d) return null;
      for (let i = 0; i < d.point_row.length; i++) if (this.isShown(d.point_row[i])) grow(box, d.point_x[i], d.point_y[i]);
      for (let s = 0; s < d.shape_row.length; s++) {
        if (this.isShown(d.shape_row[s])) { grow(box, d.bounds[4 * s], d.bounds[4 * s + 1]); grow(box, d.bounds[4 * s + 2], d.bounds[4 * s + 3]); }
      }
      return box[0] === Infinity ? null : toBounds(box);
    },

    /** Bounds of one row, or null while it is not on the map. */
    rowBounds: function (row) {
      const d = this.data;
      if (!d || row < 0) return null;
      const p = d.point_row.indexOf(row);
      if (p >= 0) return toBounds([d.point_x[p], d.point_y[p], d.point_x[p], d.point_y[p]]);
      const s = d.shape_row.indexOf(row);
      return s < 0 ? null : toBounds([0, 1, 2, 3].map(k => d.bounds[4 * s + k]));
    },

    /** The vertices of a row that is one line, to be dragged; [] for anything else. */
    rowLine: function (row) {
      const d = this.data, s = d ? d.shape_row.indexOf(row) : -1;
      if (s < 0 || d.shape_area[s] || d.shape_part[s + 1] - d.shape_part[s] !== 1) return [];
      const part = d.shape_part[s], line = [];
      for (let v = d.part_vertex[part]; v < d.part_vertex[part + 1]; v++) line.push(toBounds([d.vertex_x[v], d.vertex_y[v], d.vertex_x[v], d.vertex_y[v]]).getCenter());
      return line;
    },

    // ---- Leaflet ---------------------------------------------------------------------------------------

    onAdd: function (map) {
      L.Renderer.prototype.onAdd.call(this, map);
      map.on('mousemove', this._onMove, this).on('click', this._onClick, this).on('mouseout', this._onLeave, this);
    },

    onRemove: function (map) {
      map.off('mousemove', this._onMove, this).off('click', this._onClick, this).off('mouseout', this._onLeave, this);
      L.Renderer.prototype.onRemove.call(this, map);
    },

    _initContainer: function () {
      this._container = L.DomUtil.create('canvas', 'leaflet-zoom-animated site-canvas');
      this._context = this._container.getContext('2d');
    },

    _destroyContainer: function () { L.DomUtil.remove(this._container); delete this._context; },

    _updatePaths: function () {},

    _update: function () {
      if (this._map._animatingZoom && this._bounds) return;
      L.Renderer.prototype._update.call(this);
      const size = this._bounds.getSize(), ratio = this.options.sharp || window.devicePixelRatio || 1, canvas = this._container;
      const width = Math.round(size.x * ratio), height = Math.round(size.y * ratio);
      L.DomUtil.setPosition(canvas, this._bounds.min);
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
        canvas.style.width = size.x + 'px';
        canvas.style.height = size.y + 'px';
      }
      if (this._ratio !== ratio) { this._ratio = ratio; this._sprites.clear(); }
      this.fire('update');
      this._draw();
    },

    /** Repaint before the next frame, once, however many changes came in between. */
    _redraw: function () {
      if (this._frame || !this._map) return;
      this._frame = requestAnimationFrame(() => { this._frame = 0; this._draw(); });
    },

    /** Scale and offset from stored positions to canvas pixels: x_px = x * scale - left. */
    _view: function () {
      const ratio = this._ratio, scale = 256 * Math.pow(2, this._map.getZoom()) / WORLD, origin = this._map.getPixelOrigin();
      const left = origin.x + this._bounds.min.x, top = origin.y + this._bounds.min.y;
      const size = this._bounds.getSize(), edge = 40;
      return {
        scale: scale * ratio, left: left * ratio, top: top * ratio, ratio,
        box: [(left - edge) / scale, (top - edge) / scale, (left + size.x + edge) / scale, (top + size.y + edge) / scale],
      };
    },

    // ---- drawing ---------------------------------------------------------------------------------------

    _draw: function () {
      if (!this._context || !this._map || !this._bounds) return;
      const started = performance.now(), context = this._context, canvas = this._container;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      if (!this.data) return;
      const view = this._view(), runs = this._runs(view.box);
      const inView = runs.reduce((sum, run) => sum + run[1] - run[0], 0);
      this.stats = { drawn: 0, inView, ms: 0 };
      this._drawUncertainty(view, runs, inView);
      this.ringed = 0;
      if (this._old) this._drawChangedShapes(view); // see map_time.js
      this._drawShapes(view);
      if (inView > MANY) this._drawDiscs(view, runs, inView);
      else this._drawSymbols(view, runs, inView);
      if (this._old) this._drawRings(view, runs, inView);
      this._drawSelection(view);
      if (this.options.labels) this._drawLabels(view, runs);
      this.stats.ms = performance.now() - started;
      this.fire('drawn');
    },

    /** The runs of points in the grid cells that touch a box: [[from, to], ...]. */
    _runs: function (box) {
      const d = this.data, runs = [], size = d.grid;
      if (!d.point_row.length) return runs;
      const low = d.box, spanX = Math.max(low[2] - low[0], 1), spanY = Math.max(low[3] - low[1], 1);
      const cell = (v, start, span) => Math.min(size - 1, Math.max(0, Math.floor((v - start) * size / span)));
      if (box[2] < low[0] || box[0] > low[2] || box[3] < low[1] || box[1] > low[3]) return runs;
      const a = cell(box[0], low[0], spanX), b = cell(box[2], low[0], spanX);
      const c = cell(box[1], low[1], spanY), e = cell(box[3], low[1], spanY);
      for (let r = c; r <= e; r++) {
        const from = d.cell[r * size + a], to = d.cell[r * size + b + 1];
        if (to > from) runs.push([from, to]);
      }
      return runs;
    },

    _symbolRadius: function (inView) {
      const zoom = this._map.getZoom();
      if (inView > CROWD) return zoom < 14 ? 3.5 : 4.5;
      return zoom < 11 ? 4.5 : zoom < 13 ? 6 : zoom < 15 ? 7.5 : 9;
    },

    _shownPoint: function (i) {
      const row = this.data.point_row[i], bits = this._bits;
      return this._shown[this.data.point_code[i]] === 1 && (!bits || ((bits[row >> 3] >> (row & 7)) & 1) === 1);
    },

    /** Circles of how far off an approximate site may be; kept out of crowds, where they would hide the map. */
    _drawUncertainty: function (view, runs, inView) {
      if (inView > CROWD) return;
      const d = this.data, context = this._context, circles = [];
      for (const [from, to] of runs) for (let i = from; i < to; i++) {
        if (!(d.point_flag[i] & APPROXIMATE) || !d.point_radius[i] || !this._shownPoint(i)) continue;
        const radius = metresToWorld(d.point_radius[i], d.point_y[i]) * view.scale;
        if (radius >= 10 * view.ratio) circles.push([i, radius]);
      }
      const few = circles.length <= FEW_CIRCLES;
      context.lineWidth = view.ratio;
      context.setLineDash([4 * view.ratio, 4 * view.ratio]);
      for (const [i, radius] of circles) {
        const colour = this.options.categories[d.point_code[i]].fill;
        context.beginPath();
        context.arc(d.point_x[i] * view.scale - view.left, d.point_y[i] * view.scale - view.top, radius, 0, FULL_TURN);
        if (few) { context.fillStyle = colour + '12'; context.fill(); }
        context.strokeStyle = colour + (few ? '99' : '4d');
        context.stroke();
      }
      context.setLineDash([]);
    },

    _drawSymbols: function (view, runs, inView) {
      const d = this.data, context = this._context, radius = this._symbolRadius(inView);
      for (const [from, to] of runs) for (let i = from; i < to; i++) {
        if (!this._shownPoint(i)) continue;
        const sprite = this._sprite(d.point_code[i], (d.point_flag[i] & APPROXIMATE) !== 0, radius);
        const x = d.point_x[i] * view.scale - view.left, y = d.point_y[i] * view.scale - view.top;
        context.drawImage(sprite, Math.round(x - sprite.width / 2), Math.round(y - sprite.height / 2));
        this.stats.drawn++;
      }
    },

    /** Tens of thousands of points: write discs into pixels; a fill per point would take seconds. */
    _drawDiscs: function (view, runs, inView) {
      const d = this.data, { pixels, width, height, paint } = this._pixels();
      const radius = (inView > 200000 ? 1.3 : 2.2) * view.ratio, reach = Math.ceil(radius), disc = [];
      for (let y = -reach; y <= reach; y++) for (let x = -reach; x <= reach; x++) if (x * x + y * y <= radius * radius + 0.5) disc.push(y * width + x);
      const offsets = Int32Array.from(disc), colours = Uint32Array.from(this.options.categories, c => toPixel(c.fill));
      const shown = this._shown, bits = this._bits, { scale, left, top } = view;
      let drawn = 0;
      for (const [from, to] of runs) for (let i = from; i < to; i++) {
        const code = d.point_code[i];
        if (!shown[code]) continue;
        if (bits) { const row = d.point_row[i]; if (!((bits[row >> 3] >> (row & 7)) & 1)) continue; }
        const x = (d.point_x[i] * scale - left) | 0, y = (d.point_y[i] * scale - top) | 0;
        if (x < reach || y < reach || x >= width - reach || y >= height - reach) continue;
        const at = y * width + x, colour = colours[code];
        for (let k = 0; k < offsets.length; k++) pixels[at + offsets[k]] = colour;
        drawn++;
      }
      paint();
      this.stats.drawn += drawn;
    },

    /** A picture as large as the canvas, one number for each pixel, and what lays it over what is drawn already. */
    _pixels: function () {
      const { width, height } = this._container, sheet = this._sheet || (this._sheet = document.createElement('canvas'));
      if (sheet.width !== width || sheet.height !== height) { sheet.width = width; sheet.height = height; }
      const image = new ImageData(width, height);
      const paint = () => { sheet.getContext('2d').putImageData(image, 0, 0); this._context.drawImage(sheet, 0, 0); };
      return { pixels: new Uint32Array(image.data.buffer), width, height, paint };
    },

    _drawShapes: function (view) {
      const d = this.data, context = this._context, rows = [];
      for (let s = 0; s < d.shape_row.length; s++) {
        const b = 4 * s, box = view.box;
        if (d.bounds[b] > box[2] || d.bounds[b + 2] < box[0] || d.bounds[b + 1] > box[3] || d.bounds[b + 3] < box[1]) continue;
        if (this.isShown(d.shape_row[s])) rows.push(s);
      }
      if (!rows.length) return;
      this.stats.drawn += rows.length;
      this.stats.inView += rows.length;
      const wide = 4 * Math.max(this._container.width, this._container.height) / view.scale;
      const small = s => d.bounds[4 * s + 2] - d.bounds[4 * s] < wide && d.bounds[4 * s + 3] - d.bounds[4 * s + 1] < wide;
      const crowd = rows.length > MANY_LINES;
      if (crowd) this._drawOutlines(view, rows.filter(small));
      context.lineJoin = context.lineCap = 'round';
      const groups = new Map();
      for (const s of rows) {
        if (crowd && small(s)) continue;
        const row = d.shape_row[s], style = this.options.categories[d.code[row]];
        const dashed = style.dashed || (d.flag[row] & SKETCH) !== 0;
        const key = `${d.shape_area[s] ? 0 : 1}|${d.code[row]}|${dashed ? 1 : 0}`;
        if (!groups.has(key)) groups.set(key, { area: d.shape_area[s] === 1, dashed, colour: style.fill, path: new Path2D() });
        this._trace(groups.get(key).path, s, view);
      }
      const sorted = [...groups.keys()].sort().map(key => groups.get(key));
      for (const g of sorted) if (g.area) { context.fillStyle = this._hatch(g.colour); context.fill(g.path); }
      const lines = sorted.filter(g => !g.area);
      if (!crowd) for (const g of lines) this._stroke(g.path, '#ffffff', CASING_PX, false, view);
      for (const g of sorted) this._stroke(g.path, g.colour, g.area ? 2 : crowd ? 1.5 : LINE_PX, g.dashed, view);
    },

    /** Thousands of shapes: write their outlines into pixels, as discs are; a path of so many edges takes seconds. */
    _drawOutlines: function (view, rows) {
      const d = this.data, { pixels, width, height, paint } = this._pixels();
      const colours = Uint32Array.from(this.options.categories, c => toPixel(c.fill)), { scale, left, top } = view;
      const segment = (x0, y0, x1, y1, colour) => {
        const steps = Math.max(1, Math.ceil(Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0)))), dx = (x1 - x0) / steps, dy = (y1 - y0) / steps;
        for (let k = 0, x = x0, y = y0; k <= steps; k++, x += dx, y += dy) {
          const column = x | 0, row = y | 0;
          if (x < 0 || y < 0 || column >= width - 1 || row >= height - 1) continue;
          const at = row * width + column;
          pixels[at] = pixels[at + 1] = pixels[at + width] = pixels[at + width + 1] = colour;
        }
      };
      for (const areas of [1, 0]) for (const s of rows) { // lines above areas
        if (d.shape_area[s] !== areas) continue;
        const colour = colours[d.code[d.shape_row[s]]];
        for (let p = d.shape_part[s]; p < d.shape_part[s + 1]; p++) {
          const from = d.part_vertex[p], to = d.part_vertex[p + 1];
          let lastX = d.vertex_x[from] * scale - left, lastY = d.vertex_y[from] * scale - top;
          for (let v = from + 1; v < to; v++) {
            const x = d.vertex_x[v] * scale - left, y = d.vertex_y[v] * scale - top;
            if (v < to - 1 && Math.abs(x - lastX) < 1 && Math.abs(y - lastY) < 1) continue;
            segment(lastX, lastY, x, y, colour);
            lastX = x;
            lastY = y;
          }
        }
      }
      paint();
    },

    /** Add a shape to a path, leaving out vertices that fall on the pixel of the one before. */
    _trace: function (path, s, view) {
      const d = this.data, { scale, left, top } = view;
      for (let p = d.shape_part[s]; p < d.shape_part[s + 1]; p++) {
        let lastX = 0, lastY = 0;
        const from = d.part_vertex[p], to = d.part_vertex[p + 1];
        for (let v = from; v < to; v++) {
          const x = d.vertex_x[v] * scale - left, y = d.vertex_y[v] * scale - top;
          if (v > from && v < to - 1 && Math.abs(x - lastX) < 0.7 && Math.abs(y - lastY) < 0.7) continue;
          if (v === from) path.moveTo(x, y); else path.lineTo(x, y);
          lastX = x;
          lastY = y;
        }
        if (d.shape_area[s]) path.closePath();
      }
    },

    _stroke: function (path, colour, width, dashed, view) {
      const context = this._context;
      context.strokeStyle = colour;
      context.lineWidth = width * view.ratio;
      context.setLineDash(dashed ? [9 * view.ratio, 7 * view.ratio] : []);
      context.stroke(path);
      context.setLineDash([]);
    },

    _hatch: function (colour) {
      const key = 'hatch' + colour, ratio = this._ratio, size = Math.round(8 * ratio);
      if (!this._sprites.has(key)) {
        const tile = document.createElement('canvas');
        tile.width = tile.height = size;
        const context = tile.getContext('2d');
        context.fillStyle = colour + '1f';
        context.fillRect(0, 0, size, size);
        context.strokeStyle = colour + '8c';
        context.lineWidth = ratio;
        for (const shift of [-size, 0, size]) { context.moveTo(shift, size); context.lineTo(shift + size, 0); }
        context.stroke();
        this._sprites.set(key, this._context.createPattern(tile, 'repeat'));
      }
      return this._sprites.get(key);
    },

    _sprite: function (code, approximate, radius) {
      const key = `${code}|${approximate ? 1 : 0}|${radius}`;
      if (!this._sprites.has(key)) {
        this._sprites.set(key, L.SiteLayer.symbol(this.options.categories[code], { radius, approximate, ratio: this._ratio }));
      }
      return this._sprites.get(key);
    },

    /** A ring around the chosen site, drawn even when the filter hides it, so that it can be found again. */
    _drawSelection: function (view) {
      const d = this.data, row = this.selected, context = this._context;
      if (row < 0 || row >= d.rows) return;
      const p = d.point_row.indexOf(row), s = p < 0 ? d.shape_row.indexOf(row) : -1;
      if (p >= 0) {
        // Outside of the ring of what has changed, see map_time.js.
        const radius = (this._symbolRadius(this.stats.inView) * (this._old ? 1.15 : 1) + (this._old ? 10 : 6)) * view.ratio;
        const x = d.point_x[p] * view.scale - view.left, y = d.point_y[p] * view.scale - view.top;
        for (const [colour, width] of [['#ffffff', 5], ['#111111', 2.5]]) {
          context.beginPath();
          context.arc(x, y, radius, 0, FULL_TURN);
          context.strokeStyle = colour;
          context.lineWidth = width * view.ratio;
          context.stroke();
        }
      } else if (s >= 0) {
        const path = new Path2D(), style = this.options.categories[d.code[row]];
        this._trace(path, s, view);
        this._stroke(path, '#111111', CASING_PX + 3, false, view);
        this._stroke(path, '#ffffff', CASING_PX, false, view);
        this._stroke(path, style.fill, LINE_PX, style.dashed || this.isSketch(row), view);
      }
    },

    /** Names beside the symbols while few are in view; a name that would cover another one or a symbol is left out. */
    _drawLabels: function (view, runs) {
      const places = this._labelPlaces(view, runs);
      if (!places || !this.options.nameOf) return;
      const context = this._context, ratio = view.ratio, height = 15 * ratio, taken = places.map(p => p.box);
      context.font = `${12 * ratio}px ${L.SiteLayer.FONT}`;
      context.textBaseline = 'middle';
      context.lineJoin = 'round';
      for (const place of places) {
        const name = this.options.nameOf(place.row);
        if (!name) continue;
        const width = context.measureText(name).width, gap = place.gap + 3 * ratio;
        const spots = [[gap, 0], [-gap - width, 0], [-width / 2, -gap - height / 2], [-width / 2, gap + height / 2]];
        for (const [dx, dy] of spots) {
          const x = place.x + dx, y = place.y + dy, box = [x, y - height / 2, x + width, y + height / 2];
          if (box[0] < 0 || box[1] < 0 || box[2] > this._container.width || box[3] > this._container.height) continue;
          if (taken.some(other => other !== place.box && overlap(box, other))) continue;
          taken.push(box);
          context.strokeStyle = this.options.dark ? 'rgba(16,21,27,0.92)' : 'rgba(255,255,255,0.92)';
          context.lineWidth = 3.5 * ratio;
          context.strokeText(name, x, y);
          context.fillStyle = this.options.dark ? '#e6edf3' : '#1f2328';
          context.fillText(name, x, y);
          break;
        }
      }
    },

    _labelPlaces: function (view, runs) {
      const d = this.data, places = [], limit = this.options.labelLimit, box = view.box;
      const gap = this._symbolRadius(this.stats.inView) * view.ratio;
      const add = (row, x, y, g) => places.push({ row, x, y, gap: g, box: [x - g, y - g, x + g, y + g] });
      for (const [from, to] of runs) for (let i = from; i < to; i++) {
        if (!this._shownPoint(i) || d.point_x[i] < box[0] || d.point_x[i] > box[2] || d.point_y[i] < box[1] || d.point_y[i] > box[3]) continue;
        if (places.length >= limit) return null;
        add(d.point_row[i], d.point_x[i] * view.scale - view.left, d.point_y[i] * view.scale - view.top, gap);
      }
      for (let s = 0; s < d.shape_row.length; s++) {
        const b = 4 * s;
        if (!this.isShown(d.shape_row[s]) || d.bounds[b] > box[2] || d.bounds[b + 2] < box[0] || d.bounds[b + 1] > box[3] || d.bounds[b + 3] < box[1]) continue;
        if (places.length >= limit) return null;
        const [x, y] = this._middle(s, view);
        add(d.shape_row[s], x, y, 2 * view.ratio);
      }
      return places;
    },

    /** Half way along a line; the centre of an area's bounds. */
    _middle: function (s, view) {
      const d = this.data, px = v => [d.vertex_x[v] * view.scale - view.left, d.vertex_y[v] * view.scale - view.top];
      if (d.shape_area[s]) {
        const b = 4 * s;
        return [(d.bounds[b] + d.bounds[b + 2]) / 2 * view.scale - view.left, (d.bounds[b + 1] + d.bounds[b + 3]) / 2 * view.scale - view.top];
      }
      const from = d.part_vertex[d.shape_part[s]], to = d.part_vertex[d.shape_part[s] + 1], steps = [];
      for (let v = from; v + 1 < to; v++) { const [ax, ay] = px(v), [bx, by] = px(v + 1); steps.push(Math.hypot(bx - ax, by - ay)); }
      let rest = steps.reduce((sum, step) => sum + step, 0) / 2;
      for (let k = 0; k < steps.length; k++) {
        if (rest <= steps[k] && steps[k] > 0) {
          const [ax, ay] = px(from + k), [bx, by] = px(from + k + 1), t = rest / steps[k];
          return [ax + (bx - ax) * t, ay + (by - ay) * t];
        }
        rest -= steps[k];
      }
      return px(from);
    },

    // ---- pointer ---------------------------------------------------------------------------------------

    /** What the filter keeps around what is in view, for the crosshair: rows with their stored position, the first `most`. */
    spots: function (most) {
      const d = this.data, found = [];
      if (!d) return found;
      for (const [from, to] of this._runs(this._view().box)) for (let i = from; i < to && found.length < most; i++) if (this._shownPoint(i)) found.push({ row: d.point_row[i], x: d.point_x[i], y: d.point_y[i] });
      for (let s = 0; s < d.shape_row.length && found.length < most; s++) if (this.isShown(d.shape_row[s])) found.push({ row: d.shape_row[s], x: (d.bounds[4 * s] + d.bounds[4 * s + 2]) / 2, y: (d.bounds[4 * s + 1] + d.bounds[4 * s + 3]) / 2 });
      return found;
    },

    /** The row under a position, or -1: the nearest symbol, else the nearest line, else the area around it. */
    pick: function (latlng) {
      const d = this.data;
      if (!d || !this._map) return -1;
      const scale = 256 * Math.pow(2, this._map.getZoom()) / WORLD, at = this._map.project(latlng);
      const x = at.x / scale, y = at.y / scale, reach = HIT_PX / scale;
      let best = -1, nearest = reach * reach;
      for (const [from, to] of this._runs([x - reach, y - reach, x + reach, y + reach])) for (let i = from; i < to; i++) {
        const dx = d.point_x[i] - x, dy = d.point_y[i] - y, distance = dx * dx + dy * dy;
        if (distance <= nearest && this._shownPoint(i)) { nearest = distance; best = d.point_row[i]; }
      }
      return best >= 0 ? best : this._pickShape(x, y, reach);
    },

    _pickShape: function (x, y, reach) {
      const d = this.data;
      let best = -1, nearest = reach * reach, inside = -1;
      for (let s = 0; s < d.shape_row.length; s++) {
        const b = 4 * s;
        if (x < d.bounds[b] - reach || x > d.bounds[b + 2] + reach || y < d.bounds[b + 1] - reach || y > d.bounds[b + 3] + reach) continue;
        if (!this.isShown(d.shape_row[s])) continue;
        let within = false;
        for (let p = d.shape_part[s]; p < d.shape_part[s + 1]; p++) for (let v = d.part_vertex[p]; v + 1 < d.part_vertex[p + 1]; v++) {
          const ax = d.vertex_x[v], ay = d.vertex_y[v], bx = d.vertex_x[v + 1], by = d.vertex_y[v + 1];
          const distance = segmentDistance(x, y, ax, ay, bx, by);
          if (distance <= nearest) { nearest = distance; best = d.shape_row[s]; }
          if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) within = !within;
        }
        if (d.shape_area[s] && within) inside = d.shape_row[s];
      }
      return best >= 0 ? best : inside;
    },

    _onMove: function (event) {
      if (this._hoverFrame) return;
      this._hoverFrame = requestAnimationFrame(() => {
        this._hoverFrame = 0;
        if (!this._map) return;
        this.fire('hover', { row: this._map.dragging && this._map.dragging.moving() ? -1 : this.pick(event.latlng), latlng: event.latlng });
      });
    },

    _onLeave: function () { this.fire('hover', { row: -1 }); },

    _onClick: function (event) { this.fire('choose', { row: this.pick(event.latlng), latlng: event.latlng }); },
  });

  // Where things are, for the layer of tiles too.
  Object.assign(L.SiteLayer, { toLatLng, segmentDistance });
  L.SiteLayer.FONT = '"Microsoft YaHei","PingFang SC","Noto Sans CJK SC","Noto Sans SC","WenQuanYi Micro Hei",sans-serif';

  /** A symbol as a canvas: the class by its shape, the status by fill and glyph, a white halo around both. */
  L.SiteLayer.symbol = function (style, { radius, approximate = false, ratio = 1 }) {
    const canvas = document.createElement('canvas'), size = Math.ceil((radius + 4) * 2 * ratio);
    canvas.width = canvas.height = size;
    const context = canvas.getContext('2d');
    context.scale(ratio, ratio);
    context.translate(size / ratio / 2, size / ratio / 2);
    const hollow = style.hollow || approximate, path = outline(style.shape, radius);
    context.lineJoin = 'round';
    context.strokeStyle = 'rgba(255,255,255,0.95)';
    context.lineWidth = 4;
    context.stroke(path);
    context.fillStyle = hollow ? '#ffffff' : style.fill;
    context.fill(path);
    // A pale fill needs an edge of its own on white paper; a dark one is its own edge.
    const pale = luminance(style.fill) > 0.5;
    context.strokeStyle = hollow && !pale ? style.fill : pale ? '#4a3a63' : style.fill;
    context.lineWidth = hollow ? 2 : 1;
    context.setLineDash(approximate || style.dashed ? [3, 2] : []);
    context.stroke(path);
    context.setLineDash([]);
    if (approximate && !style.hollow) { // the status must still be readable in a hollow symbol
      context.fillStyle = style.fill;
      context.fill(outline(style.shape, radius * 0.48));
    } else if (style.glyph && radius >= 6) {
      context.fillStyle = hollow || pale ? '#1f2328' : '#ffffff';
      context.font = `bold ${radius * 1.35}px ${L.SiteLayer.FONT}`;
      context.textAlign = 'center';
      context.textBaseline = 'middle';
      context.fillText(style.glyph, 0, radius * 0.08);
    }
    return canvas;
  };

  /** A symbol for a legend, lines included. */
  L.SiteLayer.legendSymbol = function (style, ratio) {
    if (style.shape !== 'line') return L.SiteLayer.symbol(style, { radius: 8, ratio });
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(28 * ratio);
    canvas.height = Math.round(24 * ratio);
    const context = canvas.getContext('2d');
    context.scale(ratio, ratio);
    context.strokeStyle = style.fill;
    context.lineWidth = LINE_PX;
    context.lineCap = style.dashed ? 'butt' : 'round';
    context.setLineDash(style.dashed ? [7, 4] : []);
    context.beginPath();
    context.moveTo(3, 12);
    context.lineTo(25, 12);
    context.stroke();
    return canvas;
  };

  function parse(buffer) {
    const view = new DataView(buffer);
    if (view.getUint32(0, false) !== 0x42544d31) throw new Error('not a site binary'); // "BTM1"
    const length = view.getUint32(4, true), start = 8 + length;
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
    const types = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array };
    const data = { rows: header.rows, ids: header.ids, grid: header.grid, box: header.box };
    for (const [name, [offset, type, count]] of Object.entries(header.sections)) data[name] = new types[type](buffer, start + offset, count);
    data.bounds = shapeBounds(data);
    return data;
  }

  function shapeBounds(d) {
    const bounds = new Uint32Array(4 * d.shape_row.length);
    for (let s = 0; s < d.shape_row.length; s++) {
      const box = [Infinity, Infinity, -Infinity, -Infinity];
      const from = d.part_vertex[d.shape_part[s]], to = d.part_vertex[d.shape_part[s + 1]];
      for (let v = from; v < to; v++) grow(box, d.vertex_x[v], d.vertex_y[v]);
      bounds.set(box, 4 * s);
    }
    return bounds;
  }

  function grow(box, x, y) {
    if (x < box[0]) box[0] = x;
    if (y < box[1]) box[1] = y;
    if (x > box[2]) box[2] = x;
    if (y > box[3]) box[3] = y;
  }

  function toLatLng(x, y) {
    return L.latLng(Math.atan(Math.sinh(Math.PI * (1 - 2 * y / WORLD))) * 180 / Math.PI, x / WORLD * 360 - 180);
  }

  function toBounds(box) { return L.latLngBounds(toLatLng(box[0], box[3]), toLatLng(box[2], box[1])); }

  /** Metres on the ground, at a stored y, in stored units: Mercator stretches by 1 / cos(latitude). */
  function metresToWorld(metres, y) {
    return metres / (40075016.686 / Math.cosh(Math.PI * (1 - 2 * y / WORLD))) * WORLD;
  }

  function segmentDistance(x, y, ax, ay, bx, by) {
    const dx = bx - ax, dy = by - ay, length = dx * dx + dy * dy;
    const t = length ? Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
    const px = ax + t * dx - x, py = ay + t * dy - y;
    return px * px + py * py;
  }

  function overlap(a, b) { return a[0] < b[2] && a[2] > b[0] && a[1] < b[3] && a[3] > b[1]; }

  function toPixel(colour) {
    const v = parseInt(colour.slice(1), 16);
    return (0xff000000 | (v & 255) << 16 | (v >> 8 & 255) << 8 | v >> 16) >>> 0;
  }

  function luminance(colour) {
    const v = parseInt(colour.slice(1), 16);
    return (0.299 * (v >> 16) + 0.587 * (v >> 8 & 255) + 0.114 * (v & 255)) / 255;
  }

  function outline(shape, r) {
    const path = new Path2D();
    const polygon = points => { points.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y))); path.closePath(); };
    if (shape === 'diamond') polygon([[0, -1.2 * r], [1.2 * r, 0], [0, 1.2 * r], [-1.2 * r, 0]]);
    else if (shape === 'square') polygon([[-r, -r], [r, -r], [r, r], [-r, r]]);
    else if (shape === 'triangle') polygon([[0, -1.2 * r], [1.1 * r, 0.8 * r], [-1.1 * r, 0.8 * r]]);
    else path.arc(0, 0, r, 0, FULL_TURN);
    return path;
  }
})();
