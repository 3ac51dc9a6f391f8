// What V8's embedders may do and JavaScript may not: to take the machine code of a WebAssembly module out of V8, and to make a
// module of it again without compiling; and to give back what compiling leaves free. An addon of Node's, made by
// tools/build-addon.sh; machine-code.ts uses it.
#include <node.h>
#include <v8-wasm.h>

#include <cstring>
#include <memory>
#include <utility>
#include <variant>

// Defined by what is included above.
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace {

using v8::FunctionCallbackInfo;
using v8::Isolate;
using v8::Local;
using v8::Uint8Array;
using v8::Value;

Local<Uint8Array> Copy(Isolate* isolate, const uint8_t* bytes, size_t size) {
  auto buffer = v8::ArrayBuffer::New(isolate, size);
  if (size > 0) memcpy(buffer->Data(), bytes, size);
  return Uint8Array::New(buffer, 0, size);
}

v8::MemorySpan<const uint8_t> BytesOf(Local<Value> value) {
  auto array = value.As<Uint8Array>();
  return {static_cast<const uint8_t*>(array->Buffer()->Data()) + array->ByteOffset(), array->ByteLength()};
}

// (module) -> its machine code; undefined while it has none from V8's optimising compiler.
void Serialize(const FunctionCallbackInfo<Value>& args) {
  if (!args[0]->IsWasmModuleObject()) return;
  auto code = args[0].As<v8::WasmModuleObject>()->GetCompiledModule().Serialize();
  if (code.size > 0) args.GetReturnValue().Set(Copy(args.GetIsolate(), code.buffer.get(), code.size));
}

// (module) -> the bytes that it was made from.
void WireBytes(const FunctionCallbackInfo<Value>& args) {
  if (!args[0]->IsWasmModuleObject()) return;
  auto compiled = args[0].As<v8::WasmModuleObject>()->GetCompiledModule();
  auto bytes = compiled.GetWireBytesRef();
  args.GetReturnValue().Set(Copy(args.GetIsolate(), bytes.data(), bytes.size()));
}

// (the bytes that it was made from, machine code) -> module; undefined where V8 has no use for that machine code.
void Deserialize(const FunctionCallbackInfo<Value>& args) {
  if (!args[0]->IsUint8Array() || !args[1]->IsUint8Array()) return;
  auto wire = BytesOf(args[0]);
  auto code = BytesOf(args[1]);
  // V8 compiles what it refuses, and tells of that when this call is over.
  auto caller = std::make_shared<const FunctionCallbackInfo<Value>*>(&args);
  v8::WasmModuleCompilation compilation;
  compilation.SetHasCompiledModuleBytes();
  compilation.OnBytesReceived(wire.data(), wire.size());
  compilation.Finish(
      args.GetIsolate(),
      [code](v8::WasmStreaming::ModuleCachingInterface& caching) { caching.SetCachedCompiledModuleBytes(code); },
      [caller](std::variant<Local<v8::WasmModuleObject>, Local<Value>> result) {
        auto* module = std::get_if<Local<v8::WasmModuleObject>>(&result);
        if (*caller != nullptr && module != nullptr) (*caller)->GetReturnValue().Set(*module);
      });
  *caller = nullptr;
}

// () Gives the host the pages back that nothing allocated is in any more: V8's compilers leave the C library's heaps in pieces.
void Trim(const FunctionCallbackInfo<Value>&) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace

NODE_MODULE_INIT() {
  NODE_SET_METHOD(exports, "serialize", Serialize);
  NODE_SET_METHOD(exports, "wireBytes", WireBytes);
  NODE_SET_METHOD(exports, "deserialize", Deserialize);
  NODE_SET_METHOD(exports, "trim", Trim);
}
