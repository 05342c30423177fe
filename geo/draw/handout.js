/* The hand-out's own part: the data is in the page, and the filter that the app has beside its map is here.
 *
 * Every word of a site is set as text, never as HTML, as in the app.
 */
(function () {
  'use strict';

  const { el, fill } = window.BaitaParts;
  const fold = text => text.normalize('NFKC').toLowerCase().replace(/\s+/g, '');

  class Handout {
    constructor(page, held) {
      this.page = page;
      this.held = held;
      this.text = page.text.handout;
      this.off = new Set();
      this.search = el('input', { type: 'search', placeholder: this.text.search, 'aria-label': this.text.search, maxLength: 200, oninput: () => this.show() });
      this.chips = el('div', { class: 'chips' });
      this.side = el('aside', { class: 'handout-side' }, el('h1', {}, held.words.title), held.words.subtitle ? el('p', {}, held.words.subtitle) : '',
        held.words.notice ? el('p', { class: 'warn' }, held.words.notice) : '', this.search, this.chips,
        ...['as_of', 'source', 'marking'].filter(name => held.words[name]).map(name => el('p', { class: name }, held.words[name])));
      document.body.classList.add('handout');
      document.body.prepend(this.side);
      page.map.invalidateSize({ animate: false });
      page.text.internal = held.words.marking;
      page.post = (type, message) => this.told(type, message);
      this.build();
      this.show();
    }

    told(type, { key } = {}) {
      if (type !== 'key') return;
      if (key === 'p' || key === 'Escape') this.present(!this.page.presenting);
      else if (key === '/') this.search.focus();
      else if (key === 'clear') { this.off.clear(); this.search.value = ''; this.show(); }
    }

    present(on) {
      document.body.classList.toggle('handout', !on);
      this.side.hidden = on;
      this.page.present(on);
    }

    build() {
      const { page } = this, total = new Uint32Array(256);
      for (const site of this.held.details) total[site.code]++;
      for (const kind of page.kinds) {
        const used = kind.statuses.filter(status => total[status.code]);
        if (!used.length) continue;
        this.chips.append(el('h2', {}, kind.label), ...used.map(status => el('button', { class: 'chip', 'data-code': status.code, 'aria-pressed': 'true', onclick: () => this.flip(status.code) },
            page.symbol(status), el('span', {}, status.label), el('b', {}, String(total[status.code])))));
      }
    }

    flip(code) {
      if (!this.off.delete(code)) this.off.add(code);
      this.show();
    }

    show() {
      const { held, off, page, search, chips } = this, { words } = held, asked = search.value.trim();
      for (const chip of chips.querySelectorAll('.chip')) chip.setAttribute('aria-pressed', String(!off.has(Number(chip.dataset.code))));
      page.setState({
        dataset: 'handout', data: 'data/', site: 'site/', hidden: [...off], selection: asked ? 'q=' + encodeURIComponent(asked) : '',
        title: words.title, subtitle: [words.subtitle, asked ? fill(this.text.searched, { text: asked }) : ''].filter(Boolean).join(' ｜ '),
        asOf: words.as_of, source: words.source, notice: words.notice, editable: false, welcome: false, view: null, as_of: '', since: held.changed ? 'yes' : '',
      });
    }
  }

  /** What the page would ask a server for, from the page itself. */
  class Held {
    constructor(held) { this.held = held; }

    async json(url) {
      const { held } = this, words = /words\/(\d+)\.json$/.exec(url), site = /^site\/(.*)\.json$/.exec(url), row = /row\?site=(.*)$/.exec(url);
      if (words) return held.chunks[words[1]];
      const id = decodeURIComponent((site || row)[1]), at = held.details.findIndex(one => one.site_id === id);
      if (at < 0) throw new Error('no such site');
      return row ? { row: at } : held.details[at];
    }

    async buffer(url) {
      if (/changed\.bin/.test(url)) return bytes(this.held.changed).buffer;
      const order = /order\/(\w+)\.bin$/.exec(url), asked = /selection\.bin\?q=(.*)$/.exec(url);
      if (asked) return this.bits(decodeURIComponent(asked[1])).buffer;
      return bytes(order ? this.held.orders[order[1]] : this.held.sites).buffer;
    }

    /** One bit for each row that has all the words, the first row in the lowest bit, as the server packs them. */
    bits(asked) {
      const wanted = asked.split(/\s+/).map(fold).filter(Boolean), { details } = this.held, bits = new Uint8Array(Math.ceil(details.length / 8));
      details.forEach((one, row) => {
        const fields = [one.name, one.place, one.street, one.note].map(fold);
        if (wanted.every(word => fields.some(field => field.includes(word)))) bits[row >> 3] |= 1 << (row & 7);
      });
      return bits;
    }
  }

  function bytes(text) { return Uint8Array.from(atob(text), letter => letter.charCodeAt(0)); }

  const held = JSON.parse(document.getElementById('baita-data').textContent);
  Object.assign(window.BaitaParts.data, { json: url => source.json(url), buffer: url => source.buffer(url) });
  const source = new Held(held);
  window.BaitaHandout = { open: page => new Handout(page, held) };
})();
