/* L.VectorBase: the district's roads, water, railways, parks and names on one canvas under the sites.
 *
 * The data is that of geo/draw/vector_basemap.py: a manifest and three binary levels, fetched from this server when a
 * zoom first needs them. The canvas is painted when a move ends and only moved by the browser until then.
 */
(function () {
  'use strict';

  const LAND = '#f7f7f5', HALO = 'rgba(255,255,255,0.92)';
  const AREAS = { water: '#dbe7f0', green: '#e8efe2' };
  const WATER_LINES = { river: { color: '#dbe7f0', px: 3 }, stream: { color: '#dbe7f0', px: 1.2 } };
  const RAIL = { color: '#b9bfc7', px: 2.2 };
  // Grey by class, darker for larger; `px` is [zoom, width] from which widths between are worked out.
  const ROADS = {
    minor: { color: '#e6e7e8', px: [[13, 0.8], [15, 2.6], [17, 7], [19, 16]] },
    tertiary: { color: '#dfe1e3', px: [[12, 0.9], [14, 2.2], [16, 6], [18, 12], [19, 19]] },
    secondary: { color: '#d6d9dc', px: [[10, 0.9], [13, 2.2], [15, 4.6], [17, 10], [19, 22]] },
    primary: { color: '#cdd1d5', px: [[9, 1], [12, 2.2], [14, 4], [16, 8], [19, 24]] },
    trunk: { color: '#c4c9ce', px: [[8, 1.2], [12, 2.6], [14, 4.4], [16, 9], [19, 26]] },
    motorway: { color: '#bbc1c7', px: [[7, 1.3], [12, 3], [14, 5], [16, 10], [19, 28]] }
  };
  const CASING_PX = 1.1;    // white on each side of a road
  const INK = { place: '#5a6470', station: '#6b7480', water: '#7d9bb3', green: '#86a077', river: '#7d9bb3', stream: '#8fa9bd' };
  const ROAD_INK = '#77808a';
  const FONT = '"Noto Sans CJK SC","Microsoft YaHei","PingFang SC","WenQuanYi Zen Hei",sans-serif';
  const PLACE_PX = [15, 13.5, 12, 11];
  const SAME_NAME_PX = 300; // a road's name does not come again nearer than this
  const LABEL_GAP_PX = 4;
  const MOST_LABELS = 160;
  const STEEP = 55;         // degrees from which a Chinese name is written downwards, its characters upright
  const HAN = /^[\u3400-\u9fff\uf900-\ufaff]+$/;

  L.VectorBase = L.Renderer.extend({
    options: { padding: 0.2, pane: 'overlayPane', names: true, land: LAND },

    /** @param {object} options manifest: basemap.json; url(file) -> address of a level; names: whether to write them */
    initialize: function (options) {
      L.setOptions(this, options);
      L.stamp(this);
      this._layers = {};              // what L.Renderer expects to have
      this._levels = new Map();       // file -> parsed level, or a promise while it is on its way
      this.stats = { ms: 0, vertices: 0, labels: 0, level: -1 };
    },

    getAttribution: function () { return null; }, // written by the page as text, not as HTML

    setNames: function (names) {
      this.options.names = names;
      if (this._map) this._update();
      return this;
    },

    _initContainer: function () {
      this._container = L.DomUtil.create('canvas', 'leaflet-zoom-animated vector-base');
      this._container.style.pointerEvents = 'none';
      this._container.setAttribute('aria-hidden', 'true');
      this._context = this._container.getContext('2d', { alpha: true });
    },

    _destroyContainer: function () { L.DomUtil.remove(this._container); delete this._context; },

    _updatePaths: function () {},

    _update: function () {
      if (this._map._animatingZoom && this._bounds) return;
      L.Renderer.prototype._update.call(this);
      const size = this._bounds.getSize(), ratio = window.devicePixelRatio || 1, canvas = this._container;
      const width = Math.round(size.x * ratio), height = Math.round(size.y * ratio);
      L.DomUtil.setPosition(canvas, this._bounds.min);
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
        canvas.style.width = size.x + 'px';
        canvas.style.height = size.y + 'px';
      }
      this._paint(ratio);
      this.fire('update');
    },

    // ---- levels ----------------------------------------------------------------------------------------

    /** The level to paint now: the one this zoom wants, else the nearest that is here; fetches what is missing. */
    _level: function () {
      const zoom = this._map.getZoom(), levels = this.options.manifest.levels;
      let wanted = 0;
      for (let n = 0; n < levels.length; n++) if (zoom >= levels[n].min_zoom - 0.25) wanted = n;
      if (!this._levels.has(levels[wanted].file)) this._fetch(levels[wanted].file);
      const byNearness = levels.map((_, n) => n).sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted));
      const here = byNearness.find(n => this._levels.get(levels[n].file) instanceof Level);
      this.stats.level = here === undefined ? -1 : here;
      return here === undefined ? null : this._levels.get(levels[here].file);
    },

    _fetch: function (file) {
      const arrival = fetch(this.options.url(file), { credentials: 'same-origin' })
        .then(answer => { if (!answer.ok) throw new Error(`${answer.status}`); return answer.arrayBuffer(); })
        .then(buffer => {
          this._levels.set(file, new Level(buffer));
          if (this._map) this._update();
          this.fire('level', { file });
        })
        .catch(error => {
          // Asked again at the next move; the map stays usable without it.
          this._levels.delete(file);
          this.fire('failed', { file, message: error.message });
        });
      this._levels.set(file, arrival);
    },

    // ---- painting --------------------------------------------------------------------------------------

    _paint: function (ratio) {
      const started = performance.now(), context = this._context, level = this._level();
      const canvas = this._container;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      this.stats.vertices = this.stats.labels = 0;
      if (!level) return;
      const zoom = this._map.getZoom(), view = this._view(level, ratio);
      context.save();
      this._clipToBox(context, level, view);
      this._paintAreas(context, level, view);
      context.lineCap = context.lineJoin = 'round';
      for (const name of Object.keys(WATER_LINES)) this._stroke(context, level, view, name, WATER_LINES[name].color, WATER_LINES[name].px * Math.max(0.6, Math.min(2, (zoom - 9) / 5)) * ratio);
      const roads = Object.keys(ROADS).map(name => ({ name, color: ROADS[name].color, px: between(ROADS[name].px, zoom) * ratio })).filter(road => road.px > 0 && level.layers[road.name]);
      for (const road of roads) if (road.px > 1.6 * ratio) this._stroke(context, level, view, road.name, '#ffffff', road.px + 2 * CASING_PX * ratio);
      for (const road of roads) this._stroke(context, level, view, road.name, road.color, road.px);
      this._paintRail(context, level, view, zoom, ratio);
      context.restore();
      if (this.options.names) this._paintNames(context, level, view, zoom, ratio);
      this.stats.ms = performance.now() - started;
    },

    /** How a level's steps become device pixels of the canvas: x * scale + dx; and the steps in view. */
    _view: function (level, ratio) {
      const world = 256 * Math.pow(2, this._map.getZoom()), origin = this._map.getPixelOrigin();
      const corner = this._bounds.min.add(origin), [west, north, step] = level.box;
      const scale = step * world * ratio, dx = (west * world - corner.x) * ratio, dy = (north * world - corner.y) * ratio;
      const edge = 40 * ratio / scale, { width, height } = this._container;
      return { scale, dx, dy, west: -dx / scale - edge, north: -dy / scale - edge, east: (width - dx) / scale + edge, south: (height - dy) / scale + edge };
    },

    /** Land where the basemap knows anything; outside of it the page's own ground stays. */
    _clipToBox: function (context, level, view) {
      const { scale, dx, dy } = view, [x0, y0, x1, y1] = level.extent;
      context.beginPath();
      context.rect(x0 * scale + dx, y0 * scale + dy, (x1 - x0) * scale, (y1 - y0) * scale);
      context.clip();
      context.fillStyle = this.options.land;
      context.fill();
    },

    _paintAreas: function (context, level, view) {
      for (const name of ['green', 'water']) {
        const layer = level.layers[name];
        if (!layer) continue;
        context.beginPath();
        this._trace(context, layer, view, true);
        context.fillStyle = AREAS[name];
        context.fill('evenodd');
      }
    },

    _stroke: function (context, level, view, name, color, px) {
      const layer = level.layers[name];
      if (!layer || px <= 0) return;
      context.beginPath();
      this._trace(context, layer, view, false);
      context.strokeStyle = color;
      context.lineWidth = px;
      context.stroke();
    },

    _paintRail: function (context, level, view, zoom, ratio) {
      if (!level.layers.rail || zoom < 9) return;
      const px = Math.max(1, Math.min(RAIL.px, (zoom - 8) / 3)) * ratio;
      this._stroke(context, level, view, 'rail', RAIL.color, px);
      if (zoom < 12) return;
      context.lineCap = 'butt';
      context.setLineDash([5 * ratio, 5 * ratio]);
      this._stroke(context, level, view, 'rail', '#ffffff', px * 0.55);
      context.setLineDash([]);
    },

    /** Add the parts of a layer that are in view to the path. */
    _trace: function (context, layer, view, areas) {
      const { x, y, start, bounds } = layer, { scale, dx, dy } = view;
      for (let part = 0; part + 1 < start.length; part++) {
        const b = 4 * part;
        if (bounds[b] > view.east || bounds[b + 2] < view.west || bounds[b + 1] > view.south || bounds[b + 3] < view.north) continue;
        const first = start[part], last = start[part + 1];
        context.moveTo(x[first] * scale + dx, y[first] * scale + dy);
        for (let i = first + 1; i < last; i++) context.lineTo(x[i] * scale + dx, y[i] * scale + dy);
        if (areas) context.closePath();
        this.stats.vertices += last - first;
      }
    },

    // ---- names -----------------------------------------------------------------------------------------

    _paintNames: function (context, level, view, zoom, ratio) {
      const taken = new Taken(), written = new Map();
      context.textAlign = 'center';
      context.textBaseline = 'middle';
      context.lineJoin = 'round';
      const minRank = zoom < 12 ? 0 : zoom < 13 ? 1 : zoom < 14.5 ? 2 : 3;
      for (const [text, kind, rank, x, y] of level.labels) {
        if (rank > minRank) continue;
        const px = PLACE_PX[kind === 'place' ? rank : 3], bold = kind === 'place' && rank <= 1 ? '600 ' : '';
        this._write(context, view, taken, { text, x, y, angle: 0, px, bold, ink: INK[kind], ratio, dot: kind === 'station' });
      }
      for (const [text, layer, x, y, angle, room] of level.roads) {
        if (this.stats.labels >= MOST_LABELS) break;
        const px = (layer === 'minor' || layer === 'stream' ? 10.5 : layer === 'tertiary' ? 11 : 11.5), width = this._width(context, text, px, '') * ratio;
        if (layer in ROADS && between(ROADS[layer].px, zoom) < 1.5) continue;
        if (width > room * view.scale) continue;
        const at = { x: x * view.scale + view.dx, y: y * view.scale + view.dy };
        const near = (written.get(text) || []).some(other => Math.hypot(other.x - at.x, other.y - at.y) < SAME_NAME_PX * ratio);
        if (near) continue;
        const done = this._write(context, view, taken, { text, x, y, angle, px, bold: '', ink: INK[layer] || ROAD_INK, ratio });
        if (done) written.set(text, [...(written.get(text) || []), at]);
      }
    },

    /** Write one name with its halo unless another is in its way; returns whether it was written. */
    _write: function (context, view, taken, { text, x, y, angle, px, bold, ink, ratio, dot }) {
      const cx = x * view.scale + view.dx, cy = y * view.scale + view.dy, canvas = this._container;
      if (cx < 0 || cy < 0 || cx > canvas.width || cy > canvas.height) return false;
      const width = this._width(context, text, px, bold) * ratio, height = px * 1.25 * ratio, turn = angle * Math.PI / 180;
      const lift = dot ? height * 0.95 : 0;
      if (!taken.take(cx, cy - lift, width + 2 * LABEL_GAP_PX * ratio, height + LABEL_GAP_PX * ratio, turn)) return false;
      context.save();
      context.translate(cx, cy);
      if (dot) {
        context.fillStyle = ink;
        context.fillRect(-2.5 * ratio, -2.5 * ratio, 5 * ratio, 5 * ratio);
        context.translate(0, -lift);
      }
      context.font = `${bold}${px * ratio}px ${FONT}`;
      context.lineWidth = 3 * ratio;
      context.strokeStyle = HALO;
      context.fillStyle = ink;
      if (Math.abs(angle) > STEEP && HAN.test(text)) writeDown(context, text, px * ratio, turn);
      else {
        context.rotate(turn);
        context.strokeText(text, 0, 0);
        context.fillText(text, 0, 0);
      }
      context.restore();
      this.stats.labels++;
      return true;
    },

    /** Width of a text in CSS pixels, measured once. */
    _width: function (context, text, px, bold) {
      const key = bold + px + text;
      this._widths = this._widths || new Map();
      if (!this._widths.has(key)) {
        context.save();
        context.setTransform(1, 0, 0, 1, 0, 0);
        context.font = `${bold}${px}px ${FONT}`;
        this._widths.set(key, context.measureText(text).width);
        context.restore();
      }
      return this._widths.get(key);
    }
  });

  L.vectorBase = options => new L.VectorBase(options);

  // ---- what is taken on the canvas ---------------------------------------------------------------------

  /** Names already written, as squares along each name, in a grid so that asking stays cheap. */
  class Taken {
    constructor() { this.cells = new Map(); }

    take(x, y, width, height, turn) {
      const half = height / 2, count = Math.max(1, Math.round(width / height)), step = (width - height) / Math.max(1, count - 1);
      const squares = [];
      for (let n = 0; n < count; n++) {
        const along = count === 1 ? 0 : -width / 2 + half + n * step;
        squares.push([x + Math.cos(turn) * along, y + Math.sin(turn) * along, half]);
      }
      if (squares.some(square => this.meets(square))) return false;
      for (const square of squares) for (const key of keys(square)) {
        if (!this.cells.has(key)) this.cells.set(key, []);
        this.cells.get(key).push(square);
      }
      return true;
    }

    meets(square) {
      const [x, y, half] = square;
      for (const key of keys(square)) {
        for (const [ox, oy, other] of this.cells.get(key) || []) if (Math.abs(ox - x) < half + other && Math.abs(oy - y) < half + other) return true;
      }
      return false;
    }
  }

  const CELL = 64;
  function keys([x, y, half]) {
    const found = [];
    for (let i = Math.floor((x - half) / CELL); i <= Math.floor((x + half) / CELL); i++) {
      for (let j = Math.floor((y - half) / CELL); j <= Math.floor((y + half) / CELL); j++) found.push(i * 65536 + j);
    }
    return found;
  }

  /** Write a name from top to bottom along a steep line. */
  function writeDown(context, text, px, turn) {
    const chars = Array.from(text), down = Math.sin(turn) < 0 ? turn + Math.PI : turn, lean = down - Math.PI / 2;
    for (const write of ['strokeText', 'fillText']) {
      chars.forEach((char, n) => {
        const along = (n - (chars.length - 1) / 2) * px;
        context.save();
        context.translate(Math.cos(down) * along, Math.sin(down) * along);
        context.rotate(lean);
        context[write](char, 0, 0);
        context.restore();
      });
    }
  }

  /** The width at a zoom from [zoom, width] stops; 0 below the first. */
  function between(stops, zoom) {
    if (zoom < stops[0][0] - 0.5) return 0;
    for (let n = 1; n < stops.length; n++) {
      const [z0, w0] = stops[n - 1], [z1, w1] = stops[n];
      if (zoom <= z1) return w0 * Math.pow(w1 / w0, (zoom - z0) / (z1 - z0));
    }
    return stops[stops.length - 1][1];
  }

  // ---- the binary --------------------------------------------------------------------------------------

  class Level {
    constructor(buffer) {
      const bytes = new DataView(buffer), size = bytes.getUint32(4, true);
      if (bytes.getUint32(0, true) !== 0x31565442) throw new Error('not a basemap level');
      const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, size)));
      Object.assign(this, { box: header.box, labels: header.labels, roads: header.roads, layers: {}, extent: header.extent });
      let at = 8 + size;
      for (const [name, parts, vertices] of header.layers) {
        const lengths = new Uint32Array(buffer.slice(at, at + 4 * parts));
        at += 4 * parts;
        const steps = new Uint16Array(buffer.slice(at, at + 4 * vertices));
        at += 4 * vertices;
        this.layers[name] = layer(lengths, steps, vertices);
      }
    }
  }

  function layer(lengths, steps, vertices) {
    const x = new Uint16Array(vertices), y = new Uint16Array(vertices), start = new Uint32Array(lengths.length + 1);
    for (let i = 0, px = 0, py = 0; i < vertices; i++) {
      x[i] = px = (px + steps[i]) & 0xffff;
      y[i] = py = (py + steps[vertices + i]) & 0xffff;
    }
    const bounds = new Uint16Array(4 * lengths.length);
    for (let part = 0; part < lengths.length; part++) {
      const first = start[part], last = start[part + 1] = first + lengths[part], b = 4 * part;
      bounds[b] = bounds[b + 1] = 0xffff;
      for (let i = first; i < last; i++) {
        if (x[i] < bounds[b]) bounds[b] = x[i];
        if (y[i] < bounds[b + 1]) bounds[b + 1] = y[i];
        if (x[i] > bounds[b + 2]) bounds[b + 2] = x[i];
        if (y[i] > bounds[b + 3]) bounds[b + 3] = y[i];
      }
    }
    return { x, y, start, bounds };
  }
})();
