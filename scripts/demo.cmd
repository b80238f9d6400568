@echo off
rem Shows what llama-mcp does, on a computer that has Python 3.11 or later and nothing else.
setlocal
set "group="
call "%~dp0environment.cmd"
if not %errorlevel%==0 exit /b 1
"%~dp0..\.venv\Scripts\python.exe" -P -m llama_mcp demo
exit /b %errorlevel%
