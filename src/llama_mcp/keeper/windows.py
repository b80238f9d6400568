"""What the keeper needs of Windows itself and Python does not offer: processes by handle, jobs.

Empty on other systems. Tried under Wine with the Python and the packages of Windows.
"""

import sys
from typing import Any

if sys.platform == "win32":
    import ctypes
    import msvcrt
    import os
    from ctypes import wintypes

    _ERROR_ACCESS_DENIED = 5
    _PROCESS_TERMINATE = 0x0001
    _PROCESS_QUERY_INFORMATION = 0x0400
    _PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
    _SYNCHRONIZE = 0x0010_0000
    _WAIT_TIMEOUT = 258
    _JOB_OBJECT_BASIC_PROCESS_ID_LIST = 3
    _JOB_OBJECT_EXTENDED_LIMIT_INFORMATION = 9
    _JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE = 0x2000
    # FILE_GENERIC_WRITE without FILE_WRITE_DATA: every write goes to the end, whoever writes.
    _APPEND_ONLY = 0x0012_0116 & ~0x0002
    _SHARE_ALL = 0x0007
    _OPEN_ALWAYS = 4
    _FILE_ATTRIBUTE_NORMAL = 0x0080
    _INVALID_HANDLE = ctypes.c_void_p(-1).value

    # The exit code of what is ended here; taskkill and the Task Manager give the same.
    ENDED_EXIT_CODE = 1
    # A process that starts others while it is being ended is met again in the next round.
    _ROUNDS = 20
    _MAX_LISTED = 1024

    class _BasicLimits(ctypes.Structure):
        """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

        _fields_ = (
            ("PerProcessUserTimeLimit", wintypes.LARGE_INTEGER),
            ("PerJobUserTimeLimit", wintypes.LARGE_INTEGER),
            ("LimitFlags", wintypes.DWORD),
            ("MinimumWorkingSetSize", ctypes.c_size_t),
            ("MaximumWorkingSetSize", ctypes.c_size_t),
            ("ActiveProcessLimit", wintypes.DWORD),
            ("Affinity", ctypes.c_size_t),
            ("PriorityClass", wintypes.DWORD),
            ("SchedulingClass", wintypes.DWORD),
        )

    class _ExtendedLimits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

        _fields_ = (
            ("BasicLimitInformation", _BasicLimits),
            ("IoInfo", ctypes.c_uint64 * 6),
            ("ProcessMemoryLimit", ctypes.c_size_t),
            ("JobMemoryLimit", ctypes.c_size_t),
            ("PeakProcessMemoryUsed", ctypes.c_size_t),
            ("PeakJobMemoryUsed", ctypes.c_size_t),
        )

    class _ProcessIds(ctypes.Structure):
        """JOBOBJECT_BASIC_PROCESS_ID_LIST."""

        _fields_ = (
            ("NumberOfAssignedProcesses", wintypes.DWORD),
            ("NumberOfProcessIdsInList", wintypes.DWORD),
            ("ProcessIdList", ctypes.c_size_t * _MAX_LISTED),
        )

    def _declared(name: str, result: Any, *arguments: Any) -> Any:
        """Return a function of kernel32; undeclared, ctypes would cut handles to 32 bits."""
        function = getattr(_kernel32, name)
        function.restype, function.argtypes = result, arguments
        return function

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _BOOL, _DWORD, _HANDLE, _POINTER = (
        wintypes.BOOL,
        wintypes.DWORD,
        wintypes.HANDLE,
        ctypes.c_void_p,
    )
    _close_handle = _declared("CloseHandle", _BOOL, _HANDLE)
    _open_process = _declared("OpenProcess", _HANDLE, _DWORD, _BOOL, _DWORD)
    _current_process = _declared("GetCurrentProcess", _HANDLE)
    _process_times = _declared("GetProcessTimes", _BOOL, _HANDLE, *[_POINTER] * 4)
    _wait = _declared("WaitForSingleObject", _DWORD, _HANDLE, _DWORD)
    _terminate_process = _declared("TerminateProcess", _BOOL, _HANDLE, wintypes.UINT)
    _create_job = _declared("CreateJobObjectW", _HANDLE, _POINTER, wintypes.LPCWSTR)
    _set_job = _declared("SetInformationJobObject", _BOOL, _HANDLE, ctypes.c_int, _POINTER, _DWORD)
    _query_job = _declared(
        "QueryInformationJobObject", _BOOL, _HANDLE, ctypes.c_int, _POINTER, _DWORD, _POINTER
    )
    _assign_to_job = _declared("AssignProcessToJobObject", _BOOL, _HANDLE, _HANDLE)
    _is_process_in_job = _declared("IsProcessInJob", _BOOL, _HANDLE, _HANDLE, _POINTER)
    _set_ctrl_handler = _declared("SetConsoleCtrlHandler", _BOOL, _POINTER, _BOOL)
    _console_code_page = _declared("GetConsoleCP", wintypes.UINT)
    _create_file = _declared(
        "CreateFileW",
        _HANDLE,
        *(wintypes.LPCWSTR, _DWORD, _DWORD, _POINTER, _DWORD, _DWORD, _HANDLE),
    )

    def _check(succeeded: Any) -> None:
        if not succeeded:
            raise ctypes.WinError(ctypes.get_last_error())

    class OpenedProcess:
        """A process that is held by a handle: while it is, its pid is nobody else's."""

        def __init__(self, pid: int, *, to_terminate: bool = False) -> None:
            """Open it.

            Raises:
                PermissionError: it lives and is another user's or the system's.
                ProcessLookupError: there is no such process.
            """
            access = _PROCESS_QUERY_LIMITED_INFORMATION | _SYNCHRONIZE
            access |= _PROCESS_TERMINATE | _PROCESS_QUERY_INFORMATION if to_terminate else 0
            self.handle = _open_process(access, False, pid)
            if not self.handle:
                error = ctypes.get_last_error()
                kind = PermissionError if error == _ERROR_ACCESS_DENIED else ProcessLookupError
                raise kind(error, ctypes.FormatError(error))

        def __enter__(self) -> "OpenedProcess":
            return self

        def __exit__(self, *_: object) -> None:
            _close_handle(self.handle)

        def start(self) -> str | None:
            """Return its creation time, in 100 ns since 1601; None when it has ended."""
            times = [wintypes.FILETIME() for _ in range(4)]
            _check(_process_times(self.handle, *map(ctypes.byref, times)))
            if _wait(self.handle, 0) != _WAIT_TIMEOUT:
                return None
            return str(times[0].dwHighDateTime << 32 | times[0].dwLowDateTime)

        def terminate(self) -> bool:
            """End it; tell whether it was there to be ended."""
            return bool(_terminate_process(self.handle, ENDED_EXIT_CODE))

    class Job:
        """A job (Windows Job Object) that is closed, and all processes in it ended, with us.

        The handle is never closed by hand: the system does that however this process ends.
        """

        def __init__(self) -> None:
            """Create it and put this process into it, and so all that this process starts.

            Raises:
                OSError: the system refuses. Windows before 8 has no job within another.
            """
            self._handle = _create_job(None, None)
            _check(self._handle)
            limits = _ExtendedLimits()
            limits.BasicLimitInformation.LimitFlags = _JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
            size = ctypes.sizeof(limits)
            kind = _JOB_OBJECT_EXTENDED_LIMIT_INFORMATION
            _check(_set_job(self._handle, kind, ctypes.byref(limits), size))
            _check(_assign_to_job(self._handle, _current_process()))

        def end_others(self) -> None:
            """End every process in it but this one."""
            for _ in range(_ROUNDS):
                others = [pid for pid in self._pids() if pid != os.getpid()]
                if not sum(map(self._end, others)):
                    return

        def _pids(self) -> list[int]:
            listed = _ProcessIds()
            size = ctypes.sizeof(listed)
            kind = _JOB_OBJECT_BASIC_PROCESS_ID_LIST
            # With more processes than there is room for it fails, and has listed the first ones.
            _query_job(self._handle, kind, ctypes.byref(listed), size, None)
            return list(listed.ProcessIdList[: listed.NumberOfProcessIdsInList])

        def _end(self, pid: int) -> bool:
            """End the process of that pid when it is in the job, and tell whether it was."""
            try:
                with OpenedProcess(pid, to_terminate=True) as process:
                    is_in_it = _is_in_job(process.handle, self._handle)
                    return is_in_it and process.start() is not None and process.terminate()
            except OSError:
                return False

    def _is_in_job(process: Any, job: Any) -> bool:
        answer = wintypes.BOOL()
        return bool(_is_process_in_job(process, job, ctypes.byref(answer)) and answer.value)

    def is_in_a_job() -> bool:
        """Tell whether this process is in a job, whoever made it."""
        return _is_in_job(_current_process(), None)

    def has_console() -> bool:
        """Tell whether this process has a console, visible or not."""
        return bool(_console_code_page())

    def hear_ctrl_c() -> None:
        """Let Ctrl-C reach this process, and those that it starts from now on.

        A process that was started as a new process group has Ctrl-C off, and its children inherit
        that.
        """
        _set_ctrl_handler(None, False)

    def open_to_append(path: str) -> int:
        """Return a descriptor of the file, created if need be, by which bytes are only appended.

        A child that inherits it appends too, even after the file was cut. O_APPEND would not do:
        on Windows it is known to the C runtime of the process that opened the file only.

        Raises:
            OSError: it cannot be opened.
        """
        handle = _create_file(
            path, _APPEND_ONLY, _SHARE_ALL, None, _OPEN_ALWAYS, _FILE_ATTRIBUTE_NORMAL, None
        )
        _check(handle != _INVALID_HANDLE)
        return msvcrt.open_osfhandle(handle, os.O_APPEND | os.O_WRONLY)
