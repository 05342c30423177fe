"""Drawing sites: the Folium page, our canvas layer and what it fetches."""
