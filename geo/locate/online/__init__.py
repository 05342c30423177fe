"""Online geocoders: 高德, 百度, 天地图 and Nominatim, off until an administrator sets one up.

An answer is a candidate, seldom a fact: these services answer anything. It is taken without a person only if the
service says in words what it found and the words are the ones asked for, at `intersection` or better, inside the
district's outline.

What each service returns, and what we ask for:

- **高德** `v3/geocode/geo`: GCJ-02 always. Missing fields come as `[]`. `level` says what was matched.
- **百度** `geocoding/v3`: BD-09 by default, GCJ-02 with `ret_coordtype=gcj02ll`. It has no `wgs84ll`: that word
  belongs to its reverse geocoder, as the datum of the input. One answer, without a word of what was found.
- **天地图** `geocoder?ds=`: CGCS2000. One answer; `keyWord` only repeats the question. It has no `city`.
- **Nominatim** `search`: WGS84, latitude first. It has no `city` beside free text.

The key is added to a request in the one thread that sends it, and nothing that leaves that thread holds it: no
address, no answer (an echo is blotted out), no exception, no log.
"""

from geo.locate.online.locator import (
    METHOD,
    BatchReport,
    OnlineCandidate,
    OnlineLocator,
    geocode_batch,
    text_to_ask,
)
from geo.locate.online.services import (
    PROVIDERS,
    AMap,
    Baidu,
    Found,
    Nominatim,
    Provider,
    Tianditu,
    make_provider,
)
from geo.locate.online.transport import (
    DEADLINE_S,
    MAX_ANSWER_BYTES,
    Clock,
    GeocoderError,
    KeyRefused,
    QueryRefused,
    QuotaError,
    Secret,
)

__all__ = [
    "DEADLINE_S",
    "MAX_ANSWER_BYTES",
    "METHOD",
    "PROVIDERS",
    "AMap",
    "Baidu",
    "BatchReport",
    "Clock",
    "Found",
    "GeocoderError",
    "KeyRefused",
    "Nominatim",
    "OnlineCandidate",
    "OnlineLocator",
    "Provider",
    "QueryRefused",
    "QuotaError",
    "Secret",
    "Tianditu",
    "geocode_batch",
    "make_provider",
    "text_to_ask",
]
