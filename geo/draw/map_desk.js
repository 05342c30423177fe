/* The import desk: a bulletin or a table comes in, stands beside what was read from it, and is accepted by a person.
 *
 * Every word of a source reaches the page as text. What the server keeps of a draft is the truth; a click changes it
 * there and the answer is shown.
 */
(function () {
  'use strict';

  const { el, fill, named, language, whereFocusIs } = window.BaitaParts;
  const POLL_MS = 250, AWAY_MS = 2000, NEW = 'new';

  class ImportDesk {
    constructor(page) {
      this.page = page;
      this.text = page.text.desk;
      this.node = el('section', { class: 'desk', hidden: true, tabIndex: -1, 'aria-label': this.text.open });
      this.body = el('div', { class: 'desk-body' });
      this.title = el('h2', {});
      this.back = el('button', { class: 'quiet', onclick: () => this.home() }, '‹ ' + this.text.all);
      this.extra = el('span', {});
      this.node.append(el('header', {}, this.back, this.title, this.extra, el('button', { class: 'close', title: this.text.close, 'aria-label': this.text.close, onclick: () => this.toggle() }, '×')), this.body);
      for (const [name, run] of Object.entries({ dragover: () => {}, drop: event => this.dropped(event) })) this.node.addEventListener(name, event => { event.preventDefault(); run(event); });
      page.root.append(this.node);
    }

    get open() { return !this.node.hidden; }

    toggle() {
      this.node.hidden = this.open;
      this.page.root.classList.toggle('desk-open', this.open);
      if (this.open) { this.home(); this.node.focus({ preventScroll: true }); }
    }

    /** Keys while the desk is open. Returns whether the key meant something. */
    key(event) {
      const typing = event.target.closest('input,select,textarea');
      if (event.key === 'Escape' && typing) { typing.blur(); this.node.focus({ preventScroll: true }); return true; }
      if (event.key === 'Escape') { if (this.review) this.home(); else this.toggle(); return true; }
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return false;
      return Boolean(this.review && this.review.key && this.review.key(event.key));
    }

    show(...children) {
      this.extra.replaceChildren();
      this.body.replaceChildren(...children);
    }

    async ask(path, options) {
      const mark = path.includes('?') ? '&' : '?';
      const address = `../desk${path}${mark}set=${this.page.state.dataset}&lang=${language()}`;
      const reply = await fetch(address, options).catch(() => { throw Object.assign(new Error(this.text.unreachable), { away: true }); });
      const said = await reply.json().catch(() => ({}));
      if (!reply.ok) throw Object.assign(new Error(said.error || this.text.failed), { status: reply.status });
      return said;
    }

    post(path, change) { return this.ask(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(change || {}) }); }

    say(error) { this.page.say(error.message || this.text.failed); }

    // ---- what waits, and the box for more ----------------------------------------------------------------

    async home() {
      const { text } = this;
      this.review = null;
      this.back.hidden = true;
      this.title.textContent = text.open;
      const paste = el('textarea', { placeholder: text.drop, 'aria-label': text.drop, oninput: () => this.typed(paste.value) });
      paste.value = this.typed();
      const day = el('input', { type: 'date', 'aria-label': text.day, title: text.day_hint });
      const pick = el('input', { type: 'file', hidden: true, onchange: () => this.bring(pick.files[0], day.value) });
      this.status = el('div', { class: 'desk-status', role: 'status' });
      const real = this.page.canImport;
      const tries = el('div', { class: 'tries', hidden: true });
      const closed = el('div', { class: 'drop' }, el('p', { class: 'warning' }, text.not_here), el('button', { onclick: () => this.page.post('open', { dataset: 'bulletin' }) }, text.go_there), this.status);
      const box = !real ? closed : el('div', { class: 'drop' }, paste, el('div', { class: 'line' },
        el('button', { class: 'main', onclick: () => this.bring(new Blob([paste.value]), day.value, true) }, text.read),
        el('button', { onclick: () => pick.click() }, text.choose), pick, el('label', {}, text.day, day)),
      el('p', { class: 'hint' }, text.formats), this.status);
      const lists = el('div', { class: 'lists' });
      this.show(el('div', { class: 'desk-home' }, el('div', {}, box, tries), lists));
      try {
        const { drafts, imports, samples } = await this.ask('');
        this.offer(tries, samples);
        lists.replaceChildren(el('h3', {}, text.drafts), drafts.length ? el('ul', {}, ...drafts.map(one => this.draftLine(one))) : el('p', { class: 'hint' }, text.no_drafts),
          el('h3', {}, text.imports), imports.length ? el('ul', {}, ...imports.map(one => this.importLine(one))) : el('p', { class: 'hint' }, text.no_imports));
      } catch (error) { this.say(error); }
    }

    /** What is typed and not read yet: a desk that is closed or a page that is loaded again still has it. Without an argument, returns it. */
    typed(words) {
      const key = 'baita:typed:' + this.page.state.dataset;
      try {
        if (words === undefined) return sessionStorage.getItem(key) || '';
        if (words) sessionStorage.setItem(key, words); else sessionStorage.removeItem(key);
      } catch { /* private mode, or longer than a browser keeps */ }
      return '';
    }

    /** Invented files to try: each opens as a draft of the demo set, wherever one is. */
    offer(box, samples) {
      const { text } = this;
      box.hidden = !samples.length;
      box.replaceChildren(el('h3', {}, text.tries), el('p', { class: 'hint' }, text.tries_hint), el('div', { class: 'line' },
        ...samples.map(one => el('button', { class: 'try', onclick: () => this.tryOut(one) }, one.label))));
    }

    async tryOut(one) {
      if (this.job) return;
      if (this.page.state.dataset !== 'demo') { this.pending = one; this.page.post('open', { dataset: 'demo' }); return; }
      await this.reading(one.label, () => this.post('/sample/' + encodeURIComponent(one.file)));
    }

    /** The page has come to another set: its own drafts are shown, and a sample chosen before is read. */
    async arrive() {
      const { pending } = this;
      this.pending = null;
      if (!this.open && !pending) return;
      if (!this.open) this.toggle(); else await this.home();
      if (pending) await this.tryOut(pending);
    }

    draftLine(one) {
      const { text } = this;
      if (one.interrupted) return el('li', {}, el('span', { class: 'open' }, el('b', {}, one.name), el('small', {}, `${text.interrupted} · ${moment(one.at)} · ${one.who}`)),
        el('button', { class: 'small main', onclick: () => this.again(one) }, text.read_again), sure(text.discard, text.sure, () => this.discard(one.draft_id)));
      const about = one.form === 'table' ? text.table : fill(text.found, { n: one.items }) + (one.waiting ? ' · ' + fill(text.waiting, { n: one.waiting }) : '');
      return el('li', {}, el('button', { class: 'open', onclick: () => this.load(one.draft_id) }, el('b', {}, one.name), el('small', {}, `${about} · ${moment(one.at)} · ${one.who}`)),
        sure(text.discard, text.sure, () => this.discard(one.draft_id)));
    }

    importLine(one) {
      const { text } = this, did = fill(text.did, { added: one.added, changed: one.changed });
      return el('li', { class: one.undone_at ? 'undone' : '' }, el('span', { class: 'open' }, el('b', {}, one.name), el('small', {}, `${did} · ${moment(one.at)} · ${one.who}`)),
        one.undone_at ? el('small', {}, text.undone) : sure(text.undo, text.sure, () => this.undo(one.import_id)));
    }

    async discard(id) {
      try { await this.ask('/draft/' + id, { method: 'DELETE' }); } catch (error) { this.say(error); }
      this.home();
    }

    async undo(number) {
      try {
        const done = await this.post(`/import/${number}/undo`);
        this.page.say(fill(this.text.undo_done, { removed: done.removed, restored: done.restored }) + (done.kept.length ? ' ' + fill(this.text.undo_kept, { n: done.kept.length }) : ''));
        this.page.post('refresh', {});
      } catch (error) { this.say(error); }
      if (this.open && !this.review) this.home();
    }

    dropped(event) {
      const file = event.dataTransfer && event.dataTransfer.files[0], words = event.dataTransfer ? event.dataTransfer.getData('text') : '';
      if (this.review || this.job) return;
      if (file) this.bring(file, '');
      else if (words) this.bring(new Blob([words]), '', true);
    }

    /** Have something read, show how far it is, then open its draft. */
    async bring(file, day, pasted = false) {
      const { text } = this;
      if (!file || this.job) return;
      if (!file.size) { this.page.say(text.nothing); return; }
      const name = pasted ? '' : file.name;
      const read = await this.reading(name || text.pasted, () => this.ask(`/read?name=${encodeURIComponent(name)}&as_of=${day}`, { method: 'POST', body: file }));
      if (read && pasted) this.typed('');
    }

    /** What was being read when the server stopped is read again. */
    async again(one) { if (!this.job) await this.reading(one.name, () => this.post(`/draft/${one.draft_id}/read`)); }

    async reading(name, start) {
      const { text } = this, bar = el('progress', { max: 1, value: 0 });
      this.job = 'asked';
      this.status.replaceChildren(el('span', {}, fill(text.reading, { name })), bar, el('button', { class: 'small', onclick: () => this.cancel() }, text.cancel));
      try {
        const started = await start();
        this.job = started.job;
        const draft = await this.follow(started.job, bar);
        if (draft && this.open && !this.review) await this.load(draft);
        else if (draft) this.page.say(fill(text.read_waits, { name })); // nobody is torn from what they do now
        return Boolean(draft);
      } catch (error) {
        const restarted = this.job !== 'asked' && error.status === 404; // the job went with the server, its file did not
        if (restarted && this.open && !this.review) await this.home();
        this.status.replaceChildren(el('p', { class: 'error', role: 'alert' }, restarted ? this.text.restarted : error.message));
        return false;
      } finally {
        this.job = null;
        if (this.status.querySelector('progress')) this.status.replaceChildren();
      }
    }

    async follow(job, bar) {
      for (;;) {
        const now = await this.ask('/job/' + job).catch(error => { if (!error.away) throw error; });
        if (!now) { await new Promise(done => setTimeout(done, AWAY_MS)); continue; }
        bar.value = now.share;
        if (now.state === 'done') return now.draft;
        if (now.state === 'failed') throw new Error(now.error);
        if (now.state !== 'running') return '';
        await new Promise(done => setTimeout(done, POLL_MS));
      }
    }

    async cancel() { if (this.job && this.job !== 'asked') await this.ask('/job/' + this.job, { method: 'DELETE' }).catch(() => {}); }

    // ---- one draft ---------------------------------------------------------------------------------------

    async load(id) {
      try {
        const view = await this.ask('/draft/' + id);
        this.title.textContent = view.name;
        this.back.hidden = false;
        this.review = view.form === 'bulletin' ? new BulletinReview(this, view) : new TableReview(this, view);
      } catch (error) { this.say(error); this.home(); }
    }

    async accept(id) {
      const { text, page, review } = this;
      if (this.accepting) return;
      this.accepting = true;
      try {
        if (review && review.sent) await review.sent.catch(() => {}); // what was decided last counts
        const done = await this.post(`/draft/${id}/accept`), said = fill(text.accepted, { ...done, problems: done.problems.count });
        if (this.open) this.toggle();
        page.say(said + (done.not_located ? ' ' + fill(text.to_place, { n: done.not_located }) : ''), done.import_id ? { label: text.undo, run: () => this.undo(done.import_id) } : null);
        page.post('refresh', {});
      } catch (error) { this.say(error); } finally { this.accepting = false; }
    }

    statusSelect(kind, value, onchange, { blank = '' } = {}) {
      const known = this.page.kinds.find(one => one.code === kind), options = known ? known.statuses : [];
      const select = el('select', { onchange: event => onchange(event.target.value) }, blank ? el('option', { value: '' }, blank) : '', ...options.map(one => el('option', { value: one.key.split('.')[1] }, one.label)));
      select.value = value;
      return select;
    }

    style(kind, status) { return this.page.styles.find(one => one.key === `${kind}.${status}`); }

    /** What a change changes, in words. */
    changed(kind, { field, old, new: now }) {
      const label = value => (field === 'status' && this.style(kind, value) ? this.style(kind, value).label : value || '—');
      return `${this.page.text[field] || this.text.fields[field] || field}: ${label(old)} → ${label(now)}`;
    }

    /** What a comparison counts, in words. */
    compared(counts) { return ['new', 'changed', 'same', 'conflicting', 'doubtful', 'gone'].filter(name => counts[name]).map(name => fill(this.text.compared[name], { n: counts[name] })).join(' · '); }
  }

  /** A bulletin's text with what was found in it marked, and beside it the records: hovering one lights the other. */
  class BulletinReview {
    constructor(desk, view) {
      this.desk = desk;
      this.text = desk.text;
      this.tab = 'all';
      this.source = el('article', { class: 'source', lang: 'zh', tabIndex: 0 });
      this.list = el('div', { class: 'records', role: 'list', 'aria-label': this.text.records });
      this.tabs = el('div', { class: 'pick' });
      this.foot = el('footer', {});
      desk.show(el('div', { class: 'desk-review' }, this.source, el('div', { class: 'side' }, this.tabs, this.list), this.foot));
      this.points = Array.from(view.raw);
      this.take(view);
      this.select((view.items.find(one => one.decision === 'open') || view.items[0] || { number: -1 }).number);
    }

    take(view) {
      const back = whereFocusIs(this.desk.body);
      this.view = view;
      this.paintText();
      this.paintDay();
      this.paintList();
      this.paintFoot();
      back();
    }

    item(number) { return this.view.items.find(one => one.number === number); }

    edit(edits) { return send(this, { items: edits }); }

    /** Cut the text where a span begins or ends; a piece knows which items it belongs to. Offsets count code points. */
    paintText() {
      const { items } = this.view, chosen = this.item(this.chosen), cuts = new Set([0, this.points.length]);
      const names = items.filter(one => one.decision !== 'rejected').flatMap(one => one.spans.map(([a, b]) => [a, b, one]));
      const quote = chosen ? chosen.quote_span : [0, 0];
      for (const [a, b] of [...names, quote]) { cuts.add(a); cuts.add(b); }
      const at = [...cuts].sort((a, b) => a - b), pieces = [];
      for (let i = 0; i + 1 < at.length; i++) {
        const [a, b] = [at[i], at[i + 1]], words = this.points.slice(a, b).join(''), one = names.find(span => span[0] <= a && b <= span[1]);
        const quoted = quote[0] <= a && b <= quote[1] && quote[1] > quote[0];
        if (!one && !quoted) { pieces.push(words); continue; }
        const mark = el('mark', { class: `${one ? 'name ' + one[2].kind : ''} ${quoted ? 'quoted' : ''}` }, words);
        if (one) {
          mark.dataset.number = one[2].number;
          mark.addEventListener('click', () => this.select(one[2].number));
          mark.addEventListener('mouseenter', () => this.light(one[2].number));
          mark.addEventListener('mouseleave', () => this.light(-1));
        }
        pieces.push(mark);
      }
      this.source.replaceChildren(...pieces);
    }

    light(number) { for (const node of this.desk.body.querySelectorAll('[data-number]')) node.classList.toggle('lit', Number(node.dataset.number) === number); }

    select(number, { scroll = true } = {}) {
      this.chosen = number;
      this.editing = -1;
      this.paintText();
      this.paintList();
      const mark = this.source.querySelector('.quoted') || this.source.querySelector(`[data-number="${number}"]`);
      if (scroll && mark) mark.scrollIntoView({ block: 'center' });
      const card = this.list.querySelector('.chosen');
      if (card) card.scrollIntoView({ block: 'nearest' });
    }

    shown() { return this.view.items.filter(one => this.tab === 'all' || one.decision === this.tab); }

    paintList() {
      const { items, checks } = this.view, count = tab => items.filter(one => tab === 'all' || one.decision === tab).length, bad = checks.filter(one => one.ok === false).length;
      const tab = (name, words, warn) => el('button', { 'aria-pressed': String(this.tab === name), class: warn ? 'tab-bad' : '', onclick: () => { const back = whereFocusIs(this.tabs); this.tab = name; this.paintList(); back(); } }, words);
      this.tabs.replaceChildren(...['all', 'open', 'accepted', 'rejected'].map(name => tab(name, `${this.text.tabs[name]} ${count(name)}`)),
        checks.length ? tab('checks', fill(bad ? this.text.checks_bad : this.text.checks, { n: bad || checks.length }), bad) : '');
      if (this.tab === 'checks') { this.list.replaceChildren(this.checks()); return; }
      const cards = this.shown().map(one => this.card(one));
      this.list.replaceChildren(...(cards.length ? cards : [el('p', { class: 'hint' }, items.length ? this.text.none_here : this.text.none_found)]));
    }

    /** Every figure of the text worked out again, what does not fit first, with the sentences they stand in. */
    checks() {
      const rank = one => (one.ok === false ? 0 : one.ok ? 1 : 2);
      return el('ul', { class: 'checks' }, ...[...this.view.checks].sort((a, b) => rank(a) - rank(b)).map(one =>
        el('li', { class: ['bad', 'good', 'open'][rank(one)] }, el('span', {}, one.text), ...one.quotes.map(words => el('q', {}, words)))));
    }

    /** The day the bulletin speaks of: a text that says 3月11日 does not say the year. */
    paintDay() {
      const { desk, text, view } = this;
      const day = el('input', { type: 'date', value: view.as_of, onchange: event => send(this, { as_of: event.target.value }) });
      desk.extra.replaceChildren(this.modelBox(), el('label', { class: 'day', title: text.day_hint }, text.day, day));
    }

    /** The button that has a language model look too. The text leaves this machine, so a second click says yes to that. */
    modelBox() {
      const { desk, text, view } = this;
      if (!view.model) return '';
      if (this.asking) return el('span', { class: 'asking', role: 'status' }, text.model_asking, el('progress', {}), el('button', { class: 'small', onclick: () => desk.cancel() }, text.cancel));
      return sure(text.model, fill(text.model_sure, { host: view.model }), () => this.askModel());
    }

    async askModel() {
      const { desk, text, view } = this, before = view.items.length;
      if (desk.job) return;
      desk.job = 'asked';
      this.asking = true;
      this.paintDay();
      try {
        const { job } = await desk.post(`/draft/${view.draft_id}/model`);
        desk.job = job;
        const done = await desk.follow(job, {});
        const now = done && await desk.ask('/draft/' + done);
        if (desk.review !== this) return;
        if (now) {
          const more = now.items.length - before;
          this.take(now);
          if (more) this.select(now.items[before].number);
          desk.page.say(more ? fill(text.model_found, { n: more }) : text.model_nothing);
        }
      } catch (error) { desk.say(error); } finally {
        desk.job = null;
        this.asking = false;
        if (desk.review === this) this.paintDay();
      }
    }

    card(one) {
      const { text, desk } = this, style = desk.style(one.kind, one.status), said = one.compared;
      const badge = (name, words) => el('span', { class: 'badge ' + name }, words);
      const decide = decision => event => { event.stopPropagation(); this.decide(one, one.decision === decision ? 'open' : decision); };
      const card = el('div', { class: `card ${one.decision} ${one.number === this.chosen ? 'chosen' : ''}`, role: 'listitem', 'aria-current': String(one.number === this.chosen), 'data-number': one.number,
        onclick: event => { if (!event.target.closest('input,select,button')) this.select(one.number); }, onmouseenter: () => this.light(one.number), onmouseleave: () => this.light(-1) },
      el('div', { class: 'top' }, style ? desk.page.symbol(style) : '', el('b', {}, one.name),
        el('button', { class: 'small yes', 'aria-pressed': String(one.decision === 'accepted'), title: text.accept + ' (A)', onclick: decide('accepted') }, '✓'),
        el('button', { class: 'small no', 'aria-pressed': String(one.decision === 'rejected'), title: text.reject + ' (R)', onclick: decide('rejected') }, '✕'),
        el('button', { class: 'small', title: text.edit + ' (E)', onclick: event => { event.stopPropagation(); this.startEdit(one.number); } }, '✎')),
      el('p', {}, style ? `${style.kindLabel} · ${style.label}` : `${one.kind}.${one.status}`, one.status_words ? ` ← “${one.status_words}”` : ` · ${text.not_stated}`, one.as_of ? ` · ${one.as_of}` : one.date_words ? ` · ${one.date_words}` : ''),
      el('div', { class: 'badges' }, one.conflict && !(said && said.list === 'conflicting') ? badge('warn', text.conflict) : '', one.needs_look && !one.conflict ? badge('warn', one.rule === 'endpoint' ? text.look_model : text.look) : '',
        said ? badge(said.list, fill(text.compared_one[said.list], { name: said.name })) : '', ...(said ? said.changes.map(change => badge('change', this.desk.changed(one.kind, change))) : [])));
      if (one.conflict) card.append(el('button', { class: 'small', onclick: () => this.only(one) }, text.only_this));
      if (said && said.candidates.length) card.append(this.sameAs(one, said));
      if (this.editing === one.number) card.append(this.form(one));
      return card;
    }

    sameAs(one, said) {
      const select = el('select', { 'aria-label': this.text.same_as, onchange: event => this.edit({ [one.number]: { same_as: event.target.value } }) },
        el('option', { value: NEW }, this.text.new_site), ...said.candidates.map(c => el('option', { value: c.site_id }, `${this.text.same_as} ${c.name} (${Math.round(c.score)})`)));
      select.value = one.same_as || NEW;
      return select;
    }

    startEdit(number) {
      this.select(number, { scroll: false });
      this.editing = number;
      this.paintList();
      const first = this.list.querySelector('.edit input');
      if (first) first.focus();
    }

    form(one) {
      const { text, desk } = this, values = { name: one.name, kind: one.kind, status: one.status, as_of: one.as_of, place: one.place, street: one.street, note: one.note };
      const input = name => el('label', {}, el('span', {}, text.fields[name]), el('input', { type: name === 'as_of' ? 'date' : 'text', value: values[name], maxLength: name === 'note' ? 4000 : 120, oninput: event => { values[name] = event.target.value; } }));
      let status = desk.statusSelect(values.kind, values.status, value => { values.status = value; });
      const kind = el('select', { onchange: event => { values.kind = event.target.value; values.status = desk.page.kinds.find(k => k.code === values.kind).statuses[0].key.split('.')[1]; const fresh = desk.statusSelect(values.kind, values.status, value => { values.status = value; }); status.replaceWith(fresh); status = fresh; } }, ...desk.page.kinds.map(k => el('option', { value: k.code }, k.label)));
      kind.value = values.kind;
      return el('form', { class: 'edit', onsubmit: event => { event.preventDefault(); this.save(one, values); } },
        input('name'), el('label', {}, el('span', {}, text.fields.kind), kind), el('label', {}, el('span', {}, text.fields.status), status), input('as_of'), input('place'), input('street'), input('note'),
        el('div', { class: 'line' }, el('button', { class: 'main' }, text.save), el('button', { type: 'button', onclick: () => { this.editing = -1; this.paintList(); } }, text.cancel)));
    }

    /** The form closes when its values are kept, not before. */
    async save(one, values) {
      this.editing = -1;
      if (!await this.edit({ [one.number]: { ...values, decision: 'accepted' } })) this.editing = one.number;
    }

    decide(one, decision) { return this.edit({ [one.number]: { decision } }); }

    /** Of several things said of one site, take this one. */
    only(one) {
      const others = this.view.items.filter(other => other.number !== one.number && other.kind === one.kind && other.name === one.name);
      this.edit(Object.fromEntries([[one.number, { decision: 'accepted' }], ...others.map(other => [other.number, { decision: 'rejected' }])]));
    }

    paintFoot() {
      const { text, desk } = this, { items, comparison, problems, gone } = this.view, ready = items.filter(one => one.decision === 'accepted').length, open = items.filter(one => one.decision === 'open').length;
      this.foot.replaceChildren(el('p', {}, el('b', {}, desk.compared(comparison)), gone.count ? el('span', { title: gone.rows.join('、') }, ' · ' + fill(text.gone_means, { n: gone.count })) : '', problems.count ? ' · ' + fill(text.problems, { n: problems.count }) : '', open ? ' · ' + fill(text.still_open, { n: open }) : ''),
        el('span', { class: 'keys' }, text.keys), el('button', { class: 'main', disabled: !ready, onclick: () => desk.accept(this.view.draft_id) }, fill(text.put, { n: ready })));
    }

    key(key) {
      const list = this.shown(), at = list.findIndex(one => one.number === this.chosen), one = this.item(this.chosen);
      const go = by => { const next = list[Math.max(0, Math.min(list.length - 1, at + by))]; if (next) this.select(next.number); return true; };
      const does = {
        ArrowDown: () => go(1), j: () => go(1), ArrowUp: () => go(-1), k: () => go(-1),
        a: () => { if (!one) return false; this.decide(one, 'accepted').then(() => go(1)); return true; },
        r: () => { if (!one) return false; this.decide(one, 'rejected').then(() => go(1)); return true; },
        e: () => { if (one) this.startEdit(one.number); return true; },
      }[key];
      return does ? does() : false;
    }
  }

  /** A table beside what each column is taken for; nothing is imported before kind and coordinates are clear. */
  class TableReview {
    constructor(desk, view) {
      this.desk = desk;
      this.text = desk.text;
      this.node = el('div', { class: 'desk-review table' });
      desk.show(this.node);
      this.take(view);
    }

    take(view) {
      this.view = view;
      const { inspection: found, read } = view, back = whereFocusIs(this.node);
      this.node.replaceChildren(this.options(found), el('div', { class: 'grid-box' }, this.grid(found)), this.side(found, read), this.foot(read));
      back();
    }

    /** What is chosen before the last choice is answered goes with it: the server takes a layout as a whole. */
    async change(layout) {
      this.node.classList.add('stale');
      Object.assign(this.view.inspection.layout, layout);
      if (!await send(this, { layout: { ...this.view.inspection.layout } })) try { this.take(await this.desk.ask('/draft/' + this.view.draft_id)); } catch { /* as it was shown */ }
      if (this.turn === this.answered) this.node.classList.remove('stale');
    }

    options(found) {
      const { text, desk } = this, { layout, sheets, asks } = found;
      const field = (label, node, need) => el('label', { class: need ? 'need' : '' }, el('span', {}, label), node);
      const select = (name, options, value) => { const node = el('select', { onchange: event => this.change({ [name]: event.target.value }) }, ...options.map(([key, label]) => el('option', { value: key }, label))); node.value = value; return node; };
      const parts = [el('span', { class: 'hint' }, [found.format, found.encoding, found.delimiter === '\t' ? 'tab' : found.delimiter].filter(Boolean).join(' · '))];
      if (sheets.length > 1) parts.push(field(text.sheet, select('sheet', sheets.map(one => [one.name, `${one.name} (${one.rows})`]), layout.sheet)));
      const ownKind = Object.values(layout.columns).includes('kind');
      if (!ownKind) parts.push(field(text.fields.kind, select('kind', [['', text.choose_kind], ...desk.page.kinds.map(one => [one.code, one.label])], layout.kind), asks.includes('kind')));
      const columns = Object.values(layout.columns), layer = sheets.find(one => one.name === layout.sheet) || sheets[0];
      if (asks.includes('datum') || asks.includes('crs') || layout.datum || (columns.includes('x') && !columns.includes('datum'))) {
        const datums = Object.entries(desk.page.text.datums);
        parts.push(field(layer.crs ? `${text.datum} (${layer.crs_name || layer.crs})` : text.datum, select('datum', [['', layer.crs ? text.as_file : text.choose_datum], ...datums], layout.datum), asks.includes('datum') || asks.includes('crs')));
      }
      const day = el('input', { type: 'date', value: layout.as_of, onchange: event => this.change({ as_of: event.target.value }) });
      if (!columns.includes('as_of')) parts.push(field(text.day_all, day));
      if (layer.invalid) parts.push(field(fill(text.repair, { n: layer.invalid }), el('input', { type: 'checkbox', checked: layout.repair, onchange: event => this.change({ repair: event.target.checked }) })));
      return el('div', { class: 'options' }, ...parts);
    }

    grid({ columns, rows, layout }) {
      const { text } = this, names = Object.entries(text.fields);
      const head = columns.map(column => {
        const select = el('select', { 'aria-label': column.heading || String(column.index + 1), title: column.why, onchange: event => this.assign(column.index, event.target.value) }, el('option', { value: '' }, text.leave_out), ...names.map(([key, label]) => el('option', { value: key }, label)));
        select.value = layout.columns[column.index] || '';
        return el('th', { class: select.value ? 'used' : '' }, select);
      });
      const line = ([number, cells]) => el('tr', { class: layout.header_rows.includes(number) ? 'header' : layout.header_rows.length && number < layout.header_rows[0] ? 'above' : '' }, el('td', { class: 'number' }, String(number)),
        ...columns.map(column => el('td', { class: layout.columns[column.index] ? 'used' : '' }, cells[column.index] || '')));
      return el('table', {}, el('thead', {}, el('tr', {}, el('th', {}), ...head)), el('tbody', {}, ...rows.map(line)));
    }

    /** One column holds one field: another that held it gives it up. */
    assign(index, name) {
      const columns = { ...this.view.inspection.layout.columns };
      for (const [at, held] of Object.entries(columns)) if (held === name) delete columns[at];
      if (name) columns[index] = name; else delete columns[index];
      this.change({ columns });
    }

    side(found, read) {
      const { text, desk } = this, box = el('div', { class: 'side' });
      const list = (title, part, line) => part && part.count ? box.append(el('details', { open: part.count < 6 }, el('summary', {}, fill(title, { n: part.count })), el('ul', {}, ...part.rows.map(line)))) : null;
      for (const words of found.warnings) box.append(el('p', { class: 'warning' }, words));
      if (found.status_words.length) {
        const unknown = found.status_words.filter(one => !one.status).length;
        box.append(el('details', { open: true, class: unknown ? 'need' : '' },
          el('summary', {}, fill(text.words, { n: found.status_words.length }) + (unknown ? ' · ' + fill(text.words_unknown, { n: unknown }) : '')),
          el('table', { class: 'words' }, ...found.status_words.map(one => this.wordLine(one)))));
      }
      if (!read) { box.append(el('p', { class: 'warning' }, text.say_first)); return box; }
      if (this.view.guard) box.append(this.guard(this.view.guard, found.layout));
      const plain = one => el('li', {}, el('b', {}, one.where + ' '), one.message);
      list(text.problem_rows, read.problems, plain);
      list(text.doubtful, this.view.doubtful, one => el('li', {}, one.name, ' ', this.choice(one)));
      list(text.changed, this.view.changed, one => el('li', {}, el('b', {}, one.name + ' '), one.changes.map(change => this.desk.changed(one.key.split('.')[0], change)).join('；')));
      list(text.skipped, read.skipped, plain);
      list(text.gone_list, this.view.gone, name => el('li', {}, name));
      return box;
    }

    /** The datum guard: the same points read in each datum, the likeliest first. A click takes a reading. */
    guard({ decided, outline, readings }, layout) {
      const { text, desk } = this, datums = desk.page.text.datums, best = readings[0];
      const verdict = decided ? fill(text.guard_says, { datum: this.datumName(best) }) : text.guard_silent;
      const wrong = decided && layout.datum && (layout.datum !== best.datum || best.swapped);
      return el('details', { open: true, class: wrong || !layout.datum ? 'guard need' : 'guard' }, el('summary', {}, text.guard, ' · ', el('b', { class: wrong ? 'error' : '' }, verdict)),
        el('div', { class: 'readings' }, ...readings.map((one, n) => {
          const facts = [fill(text.guard_inside, { n: one.inside, total: one.readable }), one.road_m === null ? '' : fill(text.guard_road, { m: one.road_m }), one.place_m === null ? '' : fill(text.guard_place, { m: one.place_m })].filter(Boolean).join(' · ');
          const chosen = layout.datum === one.datum && !one.swapped;
          return el('button', { class: `reading ${decided && n === 0 ? 'best' : ''}`, 'aria-pressed': String(chosen), onclick: () => this.takeReading(one) }, this.sketch(outline, one.points), el('b', {}, this.datumName(one)), el('small', {}, facts));
        })));
    }

    datumName({ datum, swapped }) { return named(this.desk.page.text.datums, datum) + (swapped ? this.text.swapped : ''); }

    takeReading({ datum, swapped }) {
      const columns = { ...this.view.inspection.layout.columns };
      if (swapped) for (const [at, name] of Object.entries(columns)) columns[at] = { x: 'y', y: 'x' }[name] || name;
      this.change({ datum, columns });
    }

    /** The district with the points of one reading; points far away pile up at the edge, in red. */
    sketch(outline, points) {
      const canvas = el('canvas', { width: 132, height: 112, 'aria-hidden': 'true' }), draw = canvas.getContext('2d');
      const all = outline.flat(), [west, east] = [0, 1].map(k => Math[k ? 'max' : 'min'](...all.map(p => p[0]))), [south, north] = [0, 1].map(k => Math[k ? 'max' : 'min'](...all.map(p => p[1])));
      const stretch = Math.cos((south + north) / 2 * Math.PI / 180), scale = Math.min(112 / ((east - west) * stretch), 92 / (north - south));
      const at = ([lon, lat]) => [66 + (lon - (west + east) / 2) * stretch * scale, 56 - (lat - (south + north) / 2) * scale];
      draw.beginPath();
      for (const ring of outline) { ring.forEach((p, n) => (n ? draw.lineTo(...at(p)) : draw.moveTo(...at(p)))); draw.closePath(); }
      draw.fillStyle = '#f3f6fa';
      draw.strokeStyle = '#5b6b80';
      draw.fill('evenodd');
      draw.stroke();
      for (const point of points) {
        const [x, y] = at(point), out = x < 3 || x > 129 || y < 3 || y > 109;
        draw.fillStyle = out ? '#b3261e' : '#08306b';
        draw.fillRect(Math.max(1, Math.min(129, x)) - 1.5, Math.max(1, Math.min(109, y)) - 1.5, 3, 3);
      }
      return canvas;
    }

    choice(one) {
      const select = el('select', { onchange: event => this.choose(one.key, event.target.value) }, el('option', { value: NEW }, this.text.new_site), ...one.candidates.map(c => el('option', { value: c.site_id }, `${this.text.same_as} ${c.name} (${Math.round(c.score)})`)));
      select.value = this.view.choices[one.key] || NEW;
      return select;
    }

    async choose(key, value) {
      try { this.take(await this.desk.post('/draft/' + this.view.draft_id, { choices: { [key]: value } })); } catch (error) { this.desk.say(error); }
    }

    /** A word of the status column, how often it stands there, and what it means: by our list, or as chosen here. */
    wordLine(one) {
      const { desk, text } = this, style = desk.style(one.kind, one.status);
      const means = one.by === 'categories' ? (style ? style.label : one.status) : desk.statusSelect(one.kind, one.status, value => this.word(one.word, value), { blank: text.choose_status });
      return el('tr', { class: one.status ? '' : 'need' }, el('td', {}, one.word), el('td', {}, String(one.rows)), el('td', {}, means));
    }

    word(word, status) {
      // Without a prototype: __proto__ is a word like any other.
      const words = Object.assign(Object.create(null), this.view.inspection.layout.status_words);
      if (status) words[word] = status; else delete words[word];
      this.change({ status_words: words });
    }

    foot(read) {
      const { text, desk } = this, asks = this.view.inspection.asks.filter(ask => ask !== 'name' && ask !== 'kind');
      return el('footer', {}, read ? el('p', {}, el('b', {}, fill(text.rows_read, { rows: read.rows, records: read.records, problems: read.problems.count })), ' · ' + desk.compared(this.view.comparison), asks.length ? el('span', { class: 'error' }, ' · ' + text.asks_datum) : '') : el('p', {}, ''),
        el('button', { class: 'main', disabled: !read || !read.records, onclick: () => desk.accept(this.view.draft_id) }, fill(text.put, { n: read ? read.records : 0 })));
    }
  }

  /** Send a change of a draft after those before it, and paint the newest answer only. Returns whether it was taken. */
  async function send(review, change) {
    const { desk } = review, turn = review.turn = (review.turn || 0) + 1;
    const sent = review.sent = (review.sent || Promise.resolve()).catch(() => {}).then(() => desk.post('/draft/' + review.view.draft_id, change));
    try {
      const view = await sent;
      if (turn === review.turn && desk.review === review) review.take(view);
      return true;
    } catch (error) { desk.say(error); return false; } finally { review.answered = turn; }
  }

  /** A button that asks once more before it does something that is not easily put right. */
  function sure(label, question, run) {
    const button = el('button', { class: 'small', onclick: event => {
      if (event.detail > 1) return; // the second half of a double click has read no question
      if (button.textContent === question) { button.disabled = true; run(); return; }
      button.textContent = question; setTimeout(() => { button.textContent = label; }, 3000); } }, label);
    return button;
  }

  function moment(iso) {
    const day = new Date(iso), two = number => String(number).padStart(2, '0');
    return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())} ${two(day.getHours())}:${two(day.getMinutes())}`;
  }

  window.BaitaDesk = { ImportDesk };
})();
