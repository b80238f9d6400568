/* A llama-server.exe for the runs under Wine: starts the embedded engine with its own arguments,
 * standard handles and console, and ends as it ends.
 *
 * The command that it stands for is in the file llama-server.command beside it, UTF-16 as
 * CreateProcess wants it.
 */
#include <stdio.h>
#include <windows.h>
#include <wchar.h>

#define LONGEST 32768

static wchar_t line[LONGEST], path[LONGEST];

/* The child has the same console and gets each event itself; this process waits for its end. */
static BOOL WINAPI leave_to_child(DWORD event) {
    (void)event;
    return TRUE;
}

/* Without the program's own name, quotes as they were given. */
static const wchar_t *arguments(void) {
    const wchar_t *rest = GetCommandLineW();
    BOOL quoted = FALSE;
    for (; *rest && (quoted || (*rest != L' ' && *rest != L'\t')); rest++)
        if (*rest == L'"')
            quoted = !quoted;
    return rest;
}

static BOOL read_command(void) {
    GetModuleFileNameW(NULL, path, LONGEST);
    wcscpy(wcsrchr(path, L'.'), L".command");
    FILE *file = _wfopen(path, L"rb");
    if (!file)
        return FALSE;
    fread(line, sizeof(wchar_t), LONGEST - 1, file);
    fclose(file);
    return TRUE;
}

int main(void) {
    STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION child;
    DWORD code = 1;
    if (!read_command()) {
        fprintf(stderr, "llama-server.command is missing\n");
        return 1;
    }
    wcscat(line, arguments());
    startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    SetConsoleCtrlHandler(leave_to_child, TRUE);
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &child)) {
        fprintf(stderr, "cannot start it: error %lu\n", GetLastError());
        return 1;
    }
    WaitForSingleObject(child.hProcess, INFINITE);
    GetExitCodeProcess(child.hProcess, &code);
    return (int)code;
}
