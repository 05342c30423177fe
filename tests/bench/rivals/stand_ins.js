/* Just what Folium's markup calls of jQuery and of Leaflet.awesome-markers; both real ones do more, so cost more. */
window.$ = html => {
  const box = document.createElement('template');
  box.innerHTML = html.trim();
  return [box.content.firstElementChild];
};
L.AwesomeMarkers = {
  icon: options => L.divIcon({
    html: `<i style="display:block;height:100%;border-radius:9px;background:${options.markerColor}"></i>`,
    className: 'awesome-marker', iconSize: [18, 18],
  }),
};
