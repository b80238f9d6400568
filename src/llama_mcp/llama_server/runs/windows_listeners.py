"""Who listens on a TCP port of Windows, from the system's table of listeners alone.

psutil asks for the table of all connections, of which a machine can have thousands.
"""

import socket
import struct
import sys

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

# iprtrmib.h and tcpmib.h of the Windows SDK.
TCP_TABLE_OWNER_PID_LISTENER = 3
ERROR_INSUFFICIENT_BUFFER = 122
# MIB_TCPROW_OWNER_PID: state, local address, local port, remote address, remote port, pid.
ROW = struct.Struct("=6I")
COUNT = struct.Struct("=I")


def listening_pid(port: int) -> int | None:
    """Return the pid of the process that listens on the IPv4 port; None when none is named."""
    return pid_in(_read_table(), port)


def pid_in(table: bytes, port: int) -> int | None:
    """Return the pid that a MIB_TCPTABLE_OWNER_PID has for a local port; None for pid 0 too."""
    (count,) = COUNT.unpack_from(table)
    for row in ROW.iter_unpack(table[COUNT.size : COUNT.size + count * ROW.size]):
        _state, _address, local_port, _remote_address, _remote_port, pid = row
        if socket.ntohs(local_port & 0xFFFF) == port and pid:
            return int(pid)
    return None


def _read_table() -> bytes:
    """Return a MIB_TCPTABLE_OWNER_PID; an empty one when the system gives none."""
    if sys.platform == "win32":
        get_table = ctypes.WinDLL("iphlpapi").GetExtendedTcpTable
        size = wintypes.DWORD(0)
        table = ctypes.create_string_buffer(COUNT.size)
        code = ERROR_INSUFFICIENT_BUFFER
        while code == ERROR_INSUFFICIENT_BUFFER:  # it may have grown since it was measured
            table = ctypes.create_string_buffer(max(size.value, COUNT.size))
            code = get_table(
                table,
                ctypes.byref(size),
                False,
                int(socket.AF_INET),
                TCP_TABLE_OWNER_PID_LISTENER,
                0,
            )
        return table.raw if code == 0 else COUNT.pack(0)
    return COUNT.pack(0)
