"""The media types of files, by the endings of their names (IANA's registry; what browsers know)."""

from daemun.core import arguments, directive

_TYPES = """
application/atom+xml atom
application/epub+zip epub
application/geo+json geojson
application/gpx+xml gpx
application/gzip gz tgz
application/java-archive jar war ear
application/json json map
application/ld+json jsonld
application/manifest+json webmanifest
application/msword doc
application/octet-stream bin exe dll deb dmg iso img msi msp msm
application/ogg ogx
application/pdf pdf
application/pgp-signature asc sig
application/pkcs8 p8
application/pkix-cert cer
application/postscript ai eps ps
application/rss+xml rss
application/rtf rtf
application/sql sql
application/toml toml
application/vnd.android.package-archive apk
application/vnd.apple.installer+xml mpkg
application/vnd.apple.mpegurl m3u8
application/vnd.google-earth.kml+xml kml
application/vnd.google-earth.kmz kmz
application/vnd.ms-excel xls
application/vnd.ms-fontobject eot
application/vnd.ms-powerpoint ppt
application/vnd.oasis.opendocument.graphics odg
application/vnd.oasis.opendocument.presentation odp
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.oasis.opendocument.text odt
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/vnd.rar rar
application/vnd.sqlite3 sqlite sqlite3 db
application/wasm wasm
application/x-7z-compressed 7z
application/x-bzip2 bz2
application/x-iso9660-appliance ova
application/x-mpegurl m3u
application/x-ndjson ndjson jsonl
application/x-pem-file pem crt der
application/x-rpm rpm
application/x-tar tar
application/x-xz xz
application/xhtml+xml xhtml
application/xml xml xsd xsl
application/xslt+xml xslt
application/yaml yaml yml
application/zip zip
application/zstd zst
audio/aac aac
audio/flac flac
audio/matroska mka
audio/midi mid midi kar
audio/mp4 m4a
audio/mpeg mp3
audio/ogg oga ogg opus
audio/wav wav
audio/webm weba
font/collection ttc
font/otf otf
font/ttf ttf
font/woff woff
font/woff2 woff2
image/apng apng
image/avif avif
image/bmp bmp
image/gif gif
image/heic heic
image/heif heif
image/jpeg jpg jpeg jpe jfif
image/jxl jxl
image/png png
image/svg+xml svg
image/tiff tif tiff
image/vnd.microsoft.icon ico cur
image/webp webp
model/gltf+json gltf
model/gltf-binary glb
model/obj obj
model/stl stl
text/cache-manifest appcache
text/calendar ics ifb
text/css css
text/csv csv
text/html html htm shtml
text/javascript js mjs cjs
text/markdown md markdown
text/plain txt text log conf ini
text/tab-separated-values tsv
text/vcard vcf vcard
text/vtt vtt
video/3gpp 3gp 3gpp
video/matroska mkv
video/mp2t ts m2ts
video/mp4 mp4 m4v
video/mpeg mpeg mpg
video/ogg ogv
video/quicktime mov
video/webm webm
video/x-msvideo avi
"""

COMPRESSED = (
    "application/atom+xml",
    "application/geo+json",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/rss+xml",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-ndjson",
    "application/xhtml+xml",
    "application/xml",
    "application/yaml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/svg+xml",
    "image/vnd.microsoft.icon",
    "text/calendar",
    "text/css",
    "text/csv",
    "text/javascript",
    "text/markdown",
    "text/plain",
    "text/vcard",
    "text/vtt",
    "text/xml",
)
"""What gzip makes smaller, besides text/html. Not text/event-stream: an event must not wait in a compressor."""


def nodes() -> tuple[directive.Node, ...]:
    entries = []
    for row in _TYPES.split("\n"):
        if row:
            kind, *endings = row.split()
            entries.append(arguments.line(kind, *endings))
    return (arguments.line("types", block=tuple(entries)),)
