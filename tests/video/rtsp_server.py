"""A camera on the network, as far as a test needs one: RTSP over TCP, Motion JPEG, one client.

python rtsp_server.py PORT RATE NUM    NUM frames, each a shade of grey lighter, then the connection is closed
"""

import socket
import sys
import threading
import time

import av
import numpy as np

SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track\r\n"
REPLIES = {
    "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
    "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n",
    "SETUP": "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
    "PLAY": "Session: 1\r\n",
}


def film(port: int, rate: int, num: int) -> None:
    """Packets of RTP to a port of this machine, as they are filmed."""
    with av.open(f"rtp://127.0.0.1:{port}", "w", format="rtp") as container:
        stream = container.add_stream("mjpeg", rate=rate)
        stream.width = stream.height = 64
        stream.pix_fmt, stream.codec_context.qmin, stream.codec_context.qmax = "yuvj420p", 2, 2
        for i in range(num):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 8 * i % 250, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
            time.sleep(1 / rate)


def main() -> None:
    port, rate, num = (int(word) for word in sys.argv[1:])
    packets = socket.socket(type=socket.SOCK_DGRAM)
    packets.bind(("127.0.0.1", 0))
    with socket.create_server(("127.0.0.1", port)) as server:
        client = server.accept()[0]
    lines = client.makefile("r", newline="\r\n")
    while True:
        method, number = lines.readline().split()[0], ""
        while header := lines.readline().strip():
            number = header if header.lower().startswith("cseq") else number
        client.sendall(f"RTSP/1.0 200 OK\r\n{number}\r\n{REPLIES[method]}\r\n{SDP * (method == 'DESCRIBE')}".encode())
        if method == "PLAY":
            break
    threading.Thread(target=film, args=(packets.getsockname()[1], rate, num), daemon=True).start()
    packets.settimeout(2)
    try:
        while True:
            packet = packets.recv(65536)
            client.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)
    except TimeoutError:
        client.close()


if __name__ == "__main__":
    main()
