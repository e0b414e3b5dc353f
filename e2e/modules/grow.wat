;; A waPC guest that allocates all available memory in `validate`, and then traps.
;; The length of the operation name identifies the operation: validate (8), protocol_version (16), validate_settings (17).
(module
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 128) "{\"valid\":true}")
  (data (i32.const 192) "\"v1\"")
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (if (i32.eq (local.get $operation) (i32.const 8))
      (then (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)))
    (if (i32.eq (local.get $operation) (i32.const 17))
      (then (call $response (i32.const 128) (i32.const 14)) (return (i32.const 1))))
    (call $response (i32.const 192) (i32.const 4))
    (i32.const 1)))
