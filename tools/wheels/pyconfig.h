/* pyconfig.h -- what Python.h asks about the system, answered by the compiler for it.
 *
 * Python's own pyconfig.h describes the system that Python was installed on.  With Py_LIMITED_API its other headers are
 * the same for all systems, and read no more than this of it.
 */
#ifndef FASTCLF_PYCONFIG_H
#define FASTCLF_PYCONFIG_H

#define SIZEOF_INT __SIZEOF_INT__
#define SIZEOF_LONG __SIZEOF_LONG__
#define SIZEOF_LONG_LONG __SIZEOF_LONG_LONG__
#define SIZEOF_SIZE_T __SIZEOF_SIZE_T__
#define SIZEOF_VOID_P __SIZEOF_POINTER__
#define SIZEOF_WCHAR_T __SIZEOF_WCHAR_T__
#define SIZEOF_PID_T 4
#define HAVE_WCHAR_H 1

#ifdef _WIN32
#define MS_WINDOWS
#define MS_WIN64
#define Py_ENABLE_SHARED /* variables are found in a library: python3.dll */
#endif

#endif
