"""Terminal: a program at a pseudo terminal, with somebody who types and reads.

    with Terminal(["trefoil"], {"XDG_STATE_HOME": folder}) as terminal:
        terminal.expect("trefoil> ")
        terminal.type("SELECT 1;\\r")
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

# Colours and cursor keys; also "to the first column, then to column n", by which libedit goes to
# the end of a line before it goes on writing there.
ESCAPE = re.compile(r"\r\x1b\[\d+[CG]|\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|\x01")


class Terminal:
    def __init__(self, command, env, columns=100, keep_escapes=False):
        self.seen = ""      # everything that was shown, as text
        self.read_to = 0    # how far expect() has got in it
        self._bytes = b""
        self._keep_escapes = keep_escapes
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        full = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "LANG": "C.UTF-8", **env}
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=full,
                                        preexec_fn=take_terminal, close_fds=True)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def type(self, keys):
        """Types like a person: the program has read what came before a TAB or Ctrl key."""
        for part in re.split(r"([\t\x03\x04])", keys):
            if part:
                time.sleep(0.05)
                os.write(self._master, part.encode())

    def expect(self, text, timeout=20, regex=False):
        """Waits until `text` is shown behind what was expected before."""
        pattern = re.compile(text if regex else re.escape(text))
        end = time.monotonic() + timeout
        while True:
            found = pattern.search(self.seen, self.read_to)
            if found:
                self.read_to = found.end()
                return
            left = end - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"{text!r} was not shown; seen was\n{self.seen}")

    def wait(self, timeout=20):
        """The exit code, when the program has ended."""
        end = time.monotonic() + timeout
        while self.process.poll() is None and time.monotonic() < end:
            self._read(0.1)
        return self.process.wait(timeout=1)

    def _read(self, timeout):
        ready, _, _ = select.select([self._master], [], [], timeout)
        if not ready:
            return time.monotonic() >= 0 and self.process.poll() is None
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the program has closed the terminal
            return False
        self._bytes += data
        text = self._bytes.decode(errors="replace")
        self.seen = text if self._keep_escapes else ESCAPE.sub("", text)
        return True
