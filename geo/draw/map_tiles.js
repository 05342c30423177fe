/* Picture tiles under the sites. Tiles of another datum are moved: a tile lies where its own middle belongs, so the
 * sites stay in WGS84 and every click is WGS84 too.
 */
(function () {
  'use strict';

  /** How far the tiles' datum is from WGS84 at a place, from a grid of offsets (degrees), between its knots. */
  class Offsets {
    constructor({ west, south, east, north, columns, rows, lon, lat }) { Object.assign(this, { west, south, east, north, columns, rows, lon, lat }); }

    at(latlng) {
      const u = clamp((latlng.lng - this.west) / (this.east - this.west), 1) * (this.columns - 1), v = clamp((latlng.lat - this.south) / (this.north - this.south), 1) * (this.rows - 1);
      const i = Math.min(Math.floor(u), this.columns - 2), j = Math.min(Math.floor(v), this.rows - 2), a = u - i, b = v - j;
      const mix = grid => (1 - b) * ((1 - a) * grid[j * this.columns + i] + a * grid[j * this.columns + i + 1]) + b * ((1 - a) * grid[(j + 1) * this.columns + i] + a * grid[(j + 1) * this.columns + i + 1]);
      return { lng: mix(this.lon), lat: mix(this.lat) };
    }
  }

  function clamp(value, most) { return Math.max(0, Math.min(most, value)); }

  const Tiles = L.TileLayer.extend({
    initialize: function (url, options) {
      L.TileLayer.prototype.initialize.call(this, url, options);
      this._offsets = options.offsets ? new Offsets(options.offsets) : null;
    },

    /** From a place on the ground to where its picture is among the tiles, in pixels of a zoom. */
    _shift: function (latlng, zoom) {
      if (!this._offsets) return L.point(0, 0);
      const by = this._offsets.at(latlng), map = this._map;
      return map.project([latlng.lat + by.lat, latlng.lng + by.lng], zoom).subtract(map.project(latlng, zoom));
    },

    _getTiledPixelBounds: function (center) {
      const bounds = L.TileLayer.prototype._getTiledPixelBounds.call(this, center);
      const by = this._shift(center, this._tileZoom);
      return L.bounds(bounds.min.add(by), bounds.max.add(by));
    },

    _getTilePos: function (coords) {
      const at = L.TileLayer.prototype._getTilePos.call(this, coords);
      if (!this._offsets) return at;
      const size = this.getTileSize(), middle = this._map.unproject(coords.scaleBy(size).add(size.divideBy(2)), coords.z);
      const near = this._offsets.at(middle), ground = L.latLng(middle.lat - near.lat, middle.lng - near.lng);
      return at.subtract(this._shift(ground, coords.z)).round();
    },
  });

  window.BaitaTiles = { Tiles, Offsets };
})();
