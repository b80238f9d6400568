@echo off
rem Called by the other .cmd files: finds Python 3.11 or later, and has environment.py make .venv and
rem install llama-mcp there, with the dependency group in `group` when that is set.
setlocal EnableExtensions DisableDelayedExpansion
set "found="
if defined PYTHON set "PYTHON=%PYTHON:"=%"
if exist "%~dp0..\.venv\Scripts\python.exe" call :look "%~dp0..\.venv\Scripts\python.exe"
if defined PYTHON call :look "%PYTHON%"
call :look py -3
call :look python
call :look python3
if not defined found goto missing
%found% "%~dp0environment.py" %group% 1>&2
exit /b %errorlevel%

:look
if defined found exit /b 0
rem The Microsoft Store's stand-in for python says something else, and that is not shown.
%* -c "import sys; print(sys.version_info[:2] >= (3, 11))" 2>&1 | find "True" >nul
if not errorlevel 1 set found=%*
exit /b 0

:missing
echo llama-mcp needs Python 3.11 or later, and this computer has none that starts. 1>&2
echo Get it from https://www.python.org/downloads/ or run: winget install Python.Python.3.13 1>&2
echo Then open a new window and try again. To name one yourself: 1>&2
echo     set PYTHON=C:\path\to\python.exe 1>&2
exit /b 1
