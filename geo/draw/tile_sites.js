/* L.TileSites: a set of millions on one canvas, fetched by vector tiles; towards it the page behaves as towards L.SiteLayer.
 *
 * A tile (see geo/store/tiles.py) has sites one by one, or bubbles that say how many sites of each category they stand for:
 * so a click on a category fetches nothing. A row is here the store's number of a site; what is known of it (category,
 * flags, box, words) comes with the tiles, with the pages of the table, or is asked for by number.
 */
(function () {
  'use strict';

  const WORLD = 4294967296, EXTENT = 4096, MAX_ZOOM = 17, FULL_TURN = 2 * Math.PI;
  const KEPT_TILES = 400, AT_ONCE = 6, HIT_PX = 9;
  const PAGE_ROWS = 200, MOST_ROWS = 1000000; // rows fetched at once; rows a list shows, as MAX_OFFSET in geo/ui/routes.py
  const APPROXIMATE = 2, SKETCH = 4;
  const { toLatLng, segmentDistance } = L.SiteLayer;

  // ---- Mapbox vector tiles -----------------------------------------------------------------------------------

  /** Reads protocol buffers: numbers of 7 bits a byte, and fields that say how long they are. */
  class Reader {
    constructor(bytes) { this.bytes = bytes; this.at = 0; }

    get more() { return this.at < this.bytes.length; }

    number() {
      let value = 0, weight = 1;
      for (;;) {
        const byte = this.bytes[this.at++];
        if (byte === undefined) throw new Error('the tile is cut short');
        value += (byte & 127) * weight;
        if (byte < 128) return value;
        weight *= 128;
      }
    }

    bytesOf() {
      const size = this.number(), from = this.at;
      this.at += size;
      if (this.at > this.bytes.length) throw new Error('the tile is cut short');
      return this.bytes.subarray(from, this.at);
    }

    /** Call `take(field, wire)` for each field; what it does not read is passed over. */
    fields(take) {
      while (this.more) {
        const key = this.number(), wire = key & 7, before = this.at;
        take(key >> 3, wire);
        if (this.at !== before) continue;
        if (wire === 0) this.number();
        else if (wire === 2) this.bytesOf();
        else this.at += wire === 1 ? 8 : 4;
      }
    }
  }

  const text = bytes => new TextDecoder().decode(bytes);
  const zigzag = n => (n % 2 ? -(n + 1) / 2 : n / 2);

  function decode(buffer) {
    const layers = {}, reader = new Reader(new Uint8Array(buffer));
    reader.fields(field => { if (field === 3) { const layer = decodeLayer(reader.bytesOf()); layers[layer.name] = layer.features; } });
    return layers;
  }

  function decodeLayer(bytes) {
    const layer = { name: '', features: [] }, raw = [], keys = [], values = [], reader = new Reader(bytes);
    reader.fields(field => {
      if (field === 1) layer.name = text(reader.bytesOf());
      else if (field === 2) raw.push(reader.bytesOf());
      else if (field === 3) keys.push(text(reader.bytesOf()));
      else if (field === 4) values.push(decodeValue(reader.bytesOf()));
    });
    for (const one of raw) layer.features.push(decodeFeature(one, keys, values));
    return layer;
  }

  function decodeValue(bytes) {
    let value = null;
    const reader = new Reader(bytes), view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    reader.fields(field => {
      if (field === 1) value = text(reader.bytesOf());
      else if (field === 2) { value = view.getFloat32(reader.at, true); reader.at += 4; }
      else if (field === 3) { value = view.getFloat64(reader.at, true); reader.at += 8; }
      else { value = reader.number(); if (field === 6) value = zigzag(value); else if (field === 7) value = value === 1; }
    });
    return value;
  }

  function decodeFeature(bytes, keys, values) {
    const feature = { id: -1, type: 0, properties: {}, parts: [] }, reader = new Reader(bytes);
    reader.fields(field => {
      if (field === 1) feature.id = reader.number();
      else if (field === 2) { const tags = new Reader(reader.bytesOf()); while (tags.more) { const key = keys[tags.number()]; feature.properties[key] = values[tags.number()]; } }
      else if (field === 3) feature.type = reader.number();
      else if (field === 4) feature.parts = decodeShape(new Reader(reader.bytesOf()));
    });
    return feature;
  }

  /** Lists of x, y, x, y in steps of the tile: points, lines, or rings that end where they began. */
  function decodeShape(reader) {
    const parts = [];
    let x = 0, y = 0, part = null;
    while (reader.more) {
      const command = reader.number(), what = command & 7, count = command >> 3;
      if (what === 7) { if (part) part.push(part[0], part[1]); continue; }
      for (let k = 0; k < count; k++) {
        x += zigzag(reader.number());
        y += zigzag(reader.number());
        if (what === 1) parts.push(part = []);
        part.push(x, y);
      }
    }
    return parts;
  }

  // ---- the layer ---------------------------------------------------------------------------------------------

  const short = n => (n < 1000 ? String(n) : n < 10000 ? (n / 1000).toFixed(1) + 'k' : n < 1000000 ? Math.round(n / 1000) + 'k' : (n / 1000000).toFixed(1) + 'M');

  L.TileSites = L.SiteLayer.extend({
    /** Draw another version, or another filter besides categories. */
    setTiles: function ({ address, base, query, counts }) {
      const key = address + '?' + query;
      this._counts = counts;
      if (this._key !== key) {
        const before = this._address;
        Object.assign(this, { _key: key, _address: address, _base: base, _query: query, _tiles: new Map(), _queue: [], _busy: 0, _fitBounds: null, _pages: {} });
        if (before !== address) {
          const [code, flag] = [{}, {}];
          this.data = { rows: counts.reduce((sum, [total]) => sum + total, 0), ids: address, code, flag };
          this._boxes = new Map();
        }
        this._sprites.clear();
      }
      this._visible = null;
      this._redraw();
      return this;
    },

    setFilter: function (shown) {
      this._shown = shown;
      this._visible = null;
      this._pages = {};
      this._fitBounds = null;
      this._redraw();
      return this;
    },

    bits: function () { return null; },
    isShown: function (row) { return this.data.code[row] === undefined || this._shown[this.data.code[row]] === 1; },
    isLocated: function (row) { return ((this.data.flag[row] || 0) & 1) !== 0; },
    isApproximate: function (row) { return ((this.data.flag[row] || 0) & APPROXIMATE) !== 0; },
    isSketch: function (row) { return ((this.data.flag[row] || 0) & SKETCH) !== 0; },
    rowLine: function () { return []; },

    /** As of L.SiteLayer, by the server's counts: the lists know how long they are, and fetch their rows when looked at. */
    visible: function () {
      if (this._visible || !this.data) return this._visible;
      const counts = new Uint32Array(256), sums = [0, 0];
      this._counts.forEach(([total, located], code) => { if (this._shown[code]) { counts[code] = located; sums[0] += located; sums[1] += total - located; } });
      const [located, waiting] = sums.map(n => ({ length: n, some: () => false, [Symbol.iterator]: () => [][Symbol.iterator]() }));
      this._visible = { located, waiting, counts };
      return this._visible;
    },

    /** The filter as an address has it, categories and all. */
    filterQuery: function (located) {
      const hidden = this.options.categories.filter(c => !this._shown[c.code]).map(c => 'hide=' + encodeURIComponent(c.key));
      return [...hidden, this._query, located === undefined ? '' : 'located=' + (located ? 'yes' : 'no')].filter(Boolean).join('&');
    },

    loadBounds: async function () {
      const key = this.filterQuery();
      if (this._boundsOf !== this._address + key) {
        const { bounds } = await window.BaitaParts.data.json(`${this._base}bounds.json?${key}`);
        this._boundsOf = this._address + key;
        this._fitBounds = bounds;
        this._knownBounds = bounds;
      } else this._fitBounds = this._knownBounds;
    },

    visibleBounds: function () { return this._fitBounds ? degrees(this._fitBounds) : null; },

    rowBounds: function (row) { const box = this._boxes && this._boxes.get(row); return box ? degrees(box) : null; },

    // ---- rows, by page and by number -------------------------------------------------------------------------

    /** The list of a tab in an order: an array with holes where nothing was fetched yet. */
    list: function (tab, { column, descending }) {
      const seen = this.visible(), key = `${tab}|${column}|${descending}`;
      if (!this._pages[key]) this._pages[key] = { rows: new Array(Math.min(MOST_ROWS, tab === 'tray' ? seen.waiting.length : seen.located.length)), asked: new Set(), address: `${this._base}page.json?${[this.filterQuery(tab !== 'tray'), `sort=${column}`, descending ? 'down=yes' : '', `limit=${PAGE_ROWS}`].filter(Boolean).join('&')}` };
      this._page = this._pages[key];
      return this._page.rows;
    },

    want: function (i) {
      const page = this._page, from = Math.floor(i / PAGE_ROWS) * PAGE_ROWS;
      if (!page || page.asked.has(from)) return;
      page.asked.add(from);
      window.BaitaParts.data.json(`${page.address}&offset=${from}`).then(rows => {
        rows.forEach((row, k) => { if (from + k < page.rows.length) page.rows[from + k] = row[0]; });
        this.learn(rows);
      }, () => { setTimeout(() => page.asked.delete(from), 2000); });
    },

    /** Take what is known of some rows: [number, code, flag, box, ...words]. */
    learn: function (rows) {
      for (const [row, code, flag, box, ...words] of rows) {
        this.data.code[row] = code;
        this.data.flag[row] = flag;
        this._boxes.set(row, box);
        this.words.take(row, words);
      }
      this.words.arrived();
    },

    // ---- tiles -----------------------------------------------------------------------------------------------

    _tileZoom: function () { return Math.max(0, Math.min(MAX_ZOOM, Math.round(this._map.getZoom()))); },

    /** The tiles that touch a box of stored positions. */
    _wanted: function (box) {
      const zoom = this._tileZoom(), side = WORLD / 2 ** zoom, last = 2 ** zoom - 1, wanted = [];
      const at = v => Math.max(0, Math.min(last, Math.floor(v / side)));
      for (let y = at(box[1]); y <= at(box[3]); y++) for (let x = at(box[0]); x <= at(box[2]); x++) wanted.push([zoom, x, y]);
      return wanted;
    },

    /** Loaded tiles for what is in view; where one is on its way, the nearest coarser one that is here. */
    _ready: function (box) {
      const ready = new Map(), missing = [];
      for (const [zoom, x, y] of this._wanted(box)) {
        const tile = this._tiles.get(`${zoom}/${x}/${y}`);
        if (tile && tile.features) { ready.set(tile.key, tile); continue; }
        missing.push([zoom, x, y]);
        for (let up = 1; up <= zoom; up++) {
          const coarse = this._tiles.get(`${zoom - up}/${x >> up}/${y >> up}`);
          if (coarse && coarse.features) { ready.set(coarse.key, coarse); break; }
        }
      }
      this._queue = missing.filter(([z, x, y]) => !this._tiles.has(`${z}/${x}/${y}`));
      this._fetchNext();
      this.stats.missing = missing.length;
      return [...ready.values()];
    },

    _fetchNext: function () {
      while (this._busy < AT_ONCE && this._queue.length) {
        const [zoom, x, y] = this._queue.shift(), key = `${zoom}/${x}/${y}`, tiles = this._tiles, tile = { key };
        tiles.set(key, tile);
        this._busy++;
        const done = () => { if (tiles !== this._tiles) return; this._busy--; this._forgetSome(); this._redraw(); };
        window.BaitaParts.data.buffer(`${this._address}${key}.mvt${this._query ? '?' + this._query : ''}`).then(buffer => {
          if (tiles === this._tiles) Object.assign(tile, this._place(decode(buffer), zoom, x, y));
          done();
        }).catch(() => { tile.failed = true; setTimeout(() => { if (tile.failed) tiles.delete(key); if (tiles === this._tiles) this._redraw(); }, 2000); done(); });
      }
    },

    _forgetSome: function () {
      for (const key of this._tiles.keys()) { if (this._tiles.size <= KEPT_TILES) break; this._tiles.delete(key); }
    },

    /** Give a tile's features their place in the world. */
    _place: function (layers, zoom, column, row) {
      const side = WORLD / 2 ** zoom, step = side / EXTENT, left = column * side, top = row * side;
      const part = list => { const placed = new Float64Array(list.length); for (let k = 0; k < list.length; k += 2) { placed[k] = left + list[k] * step; placed[k + 1] = top + list[k + 1] * step; } return placed; };
      const features = (layers.sites || []).map(({ id, type, properties, parts }) => {
        this.data.code[id] = properties.code;
        this.data.flag[id] = properties.flag;
        return { row: id, type, code: properties.code, flag: properties.flag, radius: properties.radius, home: properties.home, parts: parts.map(part) };
      });
      const cells = (layers.cells || []).map(({ properties, parts }) => {
        const counts = Object.entries(properties).filter(([name]) => name !== 'n').map(([name, n]) => [Number(name.slice(1)), n]);
        const [x, y] = part(parts[0]);
        return { x, y, counts };
      });
      return { features, cells };
    },

    // ---- drawing ---------------------------------------------------------------------------------------------

    _draw: function () {
      if (!this._context || !this._map || !this._bounds) return;
      const started = performance.now(), context = this._context, canvas = this._container;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      if (!this.data || !this._address) return;
      const view = this._view();
      this.stats = { drawn: 0, inView: 0, ms: 0, bubbles: 0, missing: 0, counts: {} };
      const tiles = this._ready(view.box), seen = new Set(), drawn = this._drawn = { points: [], shapes: [], bubbles: [] };
      for (const tile of tiles) {
        for (const one of tile.features) {
          if (!this._shown[one.code]) continue;
          if (one.type === 1) { if (!seen.has(one.row)) drawn.points.push(one); } else drawn.shapes.push(one);
          if (one.home) this._count(one.code, 1);
          seen.add(one.row);
        }
        for (const cell of tile.cells) {
          const counts = cell.counts.filter(([code]) => this._shown[code]), n = counts.reduce((sum, [, k]) => sum + k, 0);
          if (n) drawn.bubbles.push({ ...cell, counts, n });
          for (const [code, k] of counts) this._count(code, k);
        }
      }
      this.stats.inView = drawn.points.length + drawn.shapes.length;
      this.stats.drawn = seen.size;
      this.stats.bubbles = drawn.bubbles.length;
      this._drawLines(view, drawn.shapes);
      const radius = this._symbolRadius(this.stats.inView);
      for (const one of drawn.points) this._drawPoint(one, radius, view);
      for (const bubble of drawn.bubbles) this._drawBubble(bubble, view);
      this._drawChosen(view, radius);
      this.stats.ms = performance.now() - started;
      this.fire('drawn');
    },

    _count: function (code, n) { this.stats.counts[code] = (this.stats.counts[code] || 0) + n; },

    _drawPoint: function (one, radius, view) {
      const sprite = this._sprite(one.code, (one.flag & APPROXIMATE) !== 0, radius), [x, y] = one.parts[0];
      this._context.drawImage(sprite, Math.round(x * view.scale - view.left - sprite.width / 2), Math.round(y * view.scale - view.top - sprite.height / 2));
    },

    _drawLines: function (view, shapes) {
      const context = this._context;
      context.lineJoin = context.lineCap = 'round';
      for (const one of shapes) {
        const style = this.options.categories[one.code], path = new Path2D(), area = one.type === 3;
        for (const part of one.parts) for (let k = 0; k < part.length; k += 2) path[k ? 'lineTo' : 'moveTo'](part[k] * view.scale - view.left, part[k + 1] * view.scale - view.top);
        if (area) { context.fillStyle = this._hatch(style.fill); context.fill(path, 'evenodd'); } else this._stroke(path, '#ffffff', 7.5, false, view);
        this._stroke(path, style.fill, area ? 2 : 4, style.dashed || (one.flag & SKETCH) !== 0, view);
      }
    },

    /** A disc with the number of sites, and around it a ring with a share for each category. */
    _drawBubble: function (bubble, view) {
      const context = this._context, radius = this._bubbleRadius(bubble.n) * view.ratio;
      const x = bubble.x * view.scale - view.left, y = bubble.y * view.scale - view.top;
      context.beginPath();
      context.arc(x, y, radius + 2 * view.ratio, 0, FULL_TURN);
      context.fillStyle = 'rgba(255,255,255,0.92)';
      context.fill();
      let from = -Math.PI / 2;
      for (const [code, n] of bubble.counts) {
        const to = from + FULL_TURN * n / bubble.n;
        context.beginPath();
        context.arc(x, y, radius - 2 * view.ratio, from, to);
        context.strokeStyle = this.options.categories[code].fill;
        context.lineWidth = 4 * view.ratio;
        context.stroke();
        from = to;
      }
      context.fillStyle = '#1f2328';
      context.font = `bold ${11 * view.ratio}px ${L.SiteLayer.FONT}`;
      context.textAlign = 'center';
      context.textBaseline = 'middle';
      context.fillText(short(bubble.n), x, y);
      context.textAlign = 'start';
    },

    _bubbleRadius: function (n) { return Math.min(28, 13 + 2.2 * Math.log10(n + 1) * 1.6); },

    _drawChosen: function (view, radius) {
      const one = this._drawn.points.find(point => point.row === this.selected), box = this._boxes && this._boxes.get(this.selected);
      const centre = one ? one.parts[0] : box ? toWorld((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) : null;
      if (!centre) return;
      for (const [colour, width] of [['#ffffff', 5], ['#111111', 2.5]]) {
        this._context.beginPath();
        this._context.arc(centre[0] * view.scale - view.left, centre[1] * view.scale - view.top, (radius + 6) * view.ratio, 0, FULL_TURN);
        this._context.strokeStyle = colour;
        this._context.lineWidth = width * view.ratio;
        this._context.stroke();
      }
    },

    // ---- pointer ---------------------------------------------------------------------------------------------

    _spot: function (latlng) {
      const scale = 256 * Math.pow(2, this._map.getZoom()) / WORLD, at = this._map.project(latlng);
      return { x: at.x / scale, y: at.y / scale, scale };
    },

    pick: function (latlng) {
      if (!this._drawn || !this._map) return -1;
      const { x, y, scale } = this._spot(latlng), reach = HIT_PX / scale;
      let best = -1, nearest = reach * reach;
      for (const one of this._drawn.points) {
        const dx = one.parts[0][0] - x, dy = one.parts[0][1] - y, distance = dx * dx + dy * dy;
        if (distance <= nearest) { nearest = distance; best = one.row; }
      }
      if (best >= 0) return best;
      for (const one of this._drawn.shapes) for (const part of one.parts) for (let k = 0; k + 3 < part.length; k += 2) {
        const distance = segmentDistance(x, y, part[k], part[k + 1], part[k + 2], part[k + 3]);
        if (distance <= nearest) { nearest = distance; best = one.row; }
      }
      return best;
    },

    bubbleAt: function (latlng) {
      if (!this._drawn) return null;
      const { x, y, scale } = this._spot(latlng);
      return this._drawn.bubbles.find(one => Math.hypot(one.x - x, one.y - y) * scale <= this._bubbleRadius(one.n)) || null;
    },

    /** Go nearer to the bubble at a place; false if there is none. */
    goNearer: function (latlng) {
      const bubble = this.bubbleAt(latlng);
      if (bubble) this._map.setView(toLatLng(bubble.x, bubble.y), Math.min(this._map.getZoom() + 2, this._map.getMaxZoom()));
      return Boolean(bubble);
    },

    /** A click on a bubble goes nearer; one on a site chooses it. */
    _onClick: function (event) {
      const row = this.pick(event.latlng);
      if (row < 0 && this.goNearer(event.latlng)) return;
      this.fire('choose', { row, latlng: event.latlng });
    },

    /** What is drawn, for the crosshair: sites and bubbles with their stored position, the first `most` of them. */
    spots: function (most) {
      if (!this._drawn) return [];
      const { points, shapes, bubbles } = this._drawn, middle = part => { const k = 2 * Math.floor(part.length / 4); return { x: part[k], y: part[k + 1] }; };
      const roads = new Map(shapes.map(one => [one.row, { row: one.row, ...middle(one.parts[0]) }])); // one over several tiles is still one
      return [...bubbles.map(bubble => ({ row: -1, x: bubble.x, y: bubble.y, bubble })), ...points.map(one => ({ row: one.row, x: one.parts[0][0], y: one.parts[0][1] })), ...roads.values()].slice(0, most);
    },
  });

  // ---- words -------------------------------------------------------------------------------------------------

  /** The words of sites by the store's number, as Attributes of map_parts.js has them by row. */
  class TileWords {
    constructor(layer, base, onArrival) {
      this.layer = layer;
      this.base = base;
      this.onArrival = onArrival;
      this.known = new Map();
      this.asked = new Map();
      layer.words = this;
    }

    take(row, r) { this.known.set(row, { id: r[0], name: r[1], asOf: r[2], street: r[3], place: r[4], precision: r[5], reason: r[6], metres: r[7] }); }

    arrived() { this.onArrival(); }

    peek(row) {
      const found = this.known.get(row);
      if (!found) this.get(row);
      return found || null;
    }

    async get(row) {
      if (this.known.has(row)) return this.known.get(row);
      if (!this.asked.has(row)) this.asked.set(row, window.BaitaParts.data.json(`${this.base}named.json?fid=${row}`).then(rows => this.layer.learn(rows), () => { setTimeout(() => this.asked.delete(row), 2000); }));
      await this.asked.get(row);
      return this.known.get(row) || null;
    }
  }

  // ---- where things are --------------------------------------------------------------------------------------

  function degrees([west, south, east, north]) { return L.latLngBounds([south, west], [north, east]); }

  function toWorld(lon, lat) {
    const sine = Math.sin(lat * Math.PI / 180);
    return [(lon / 360 + 0.5) * WORLD, (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * WORLD];
  }

  window.BaitaTileSites = { TileWords, decode };
})();
