"""GStreamer's RTSP server with a test picture; run by the system's Python, which has its bindings.

Prints its address once it listens. With --check it only says whether all is installed.
"""

import sys

try:
    import gi

    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer
except (ImportError, ValueError) as error:
    sys.exit(str(error))

LAUNCH = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=25/1"
    " ! openh264enc gop-size=25 ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)
NEEDED = ("videotestsrc", "openh264enc", "rtph264pay")

Gst.init(None)
missing = [name for name in NEEDED if Gst.ElementFactory.find(name) is None]
if missing:
    sys.exit(f"missing: {missing}")
if "--check" not in sys.argv:
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LAUNCH)
    factory.set_shared(True)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    sys.stdout.write(f"rtsp://127.0.0.1:{server.get_bound_port()}/live\n")
    sys.stdout.flush()
    GLib.MainLoop().run()
